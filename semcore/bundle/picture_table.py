"""Visual tokens of a bundle's pictures, computed once by the offline job.

They spare the service the vision side for every candidate that it verifies. Two files::

    pictures.npy       float16 [pictures, tokens, hidden]
    pictures.ids.npy   bytes [pictures], the ids of the items, ascending
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semcore.errors import BundleError

TOKENS_FILE, IDS_FILE = "pictures.npy", "pictures.ids.npy"
PICTURE_FILES = (TOKENS_FILE, IDS_FILE)


class PictureTable:
    """The table of a bundle, mapped and not read whole."""

    def __init__(self, folder: Path) -> None:
        """Raises :class:`BundleError` if the files cannot be read."""
        try:
            self._tokens = np.load(folder / TOKENS_FILE, mmap_mode="r", allow_pickle=False)
            self._ids = np.load(folder / IDS_FILE, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise BundleError(
                f"the pictures of {folder} cannot be read ({error}); train the bundle again"
            ) from error

    def get(self, item_id: str) -> Tensor | None:
        """The visual tokens of an item's picture, float32 [tokens, hidden]; None if unknown."""
        key = item_id.encode()
        row = int(np.searchsorted(self._ids, key))
        if row == len(self._ids) or self._ids[row] != key:
            return None
        return torch.from_numpy(self._tokens[row].astype(np.float32))


def write_picture_table(folder: Path, ids: Sequence[str], tokens: Iterable[Tensor]) -> None:
    """Write both files, a chunk at a time.

    Args:
        ids: in ascending order, as bytes.
        tokens: of these pictures, in order, chunks of float [pictures, tokens, hidden].
    """
    table, row = None, 0
    for chunk in tokens:
        if table is None:
            shape = (len(ids), *chunk.shape[1:])
            table = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                folder / TOKENS_FILE, mode="w+", dtype=np.float16, shape=shape
            )
        table[row : row + len(chunk)] = chunk.numpy()
        row += len(chunk)
    if table is not None:
        table.flush()
        np.save(folder / IDS_FILE, np.array([name.encode() for name in ids]), allow_pickle=False)
