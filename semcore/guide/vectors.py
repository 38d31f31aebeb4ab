"""Vectors of items, quantised and read by item number.

One file, ``vectors.npy``: int8 [items, dimension]. Of a vector only its direction counts, so it is
stretched until its largest component is 127, and no scale is kept. Zeros say that the item has no
vector. Where pictures are in the vectors, ``captions.npy`` keeps what the captions alone gave, for
a model that is trained later.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semcore.errors import BundleError

if TYPE_CHECKING:  # it takes seconds to import
    from semcore.identifiers.encoder import Vectors

VECTORS, CAPTIONS = "vectors.npy", "captions.npy"
VECTOR_FILES = (VECTORS, CAPTIONS)

Quantised = NDArray[np.int8]
"""int8 [items, dimension]."""
_LARGEST = 127.0
_CHUNK = 65_536  # rows


class VectorTable:
    """The vectors of a bundle, mapped and not read whole.

    Attributes:
        rows: by item number.
    """

    def __init__(self, folder: Path, name: str = VECTORS) -> None:
        """Raises :class:`BundleError` if the file cannot be read."""
        self.rows: Quantised = map_rows(folder / name, f"the vectors of {folder}")


def caption_table(folder: Path) -> VectorTable:
    """The vectors of a bundle as its captions alone give them."""
    return VectorTable(folder, CAPTIONS if (folder / CAPTIONS).exists() else VECTORS)


def map_rows(file: Path, what: str) -> NDArray[Any]:
    """The rows of a file, mapped and not read whole.

    Raises :class:`BundleError` that says what cannot be read.
    """
    try:
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"{what} cannot be read ({error}); build the bundle again") from error
    return np.asarray(mapped)


def save_rows(file: Path, rows: NDArray[Any]) -> None:
    """Write a new file, also where another bundle has the one that is there."""
    file.unlink(missing_ok=True)
    np.save(file, rows, allow_pickle=False)


def quantised(vectors: Vectors) -> Quantised:
    """Directions in eight bits a component.

    Args:
        vectors: float32 [items, dimension], of any length.
    """
    found = np.zeros(vectors.shape, dtype=np.int8)
    for start in range(0, len(vectors), _CHUNK):
        rows = vectors[start : start + _CHUNK]
        peaks = np.abs(rows).max(axis=1, keepdims=True)
        found[start : start + _CHUNK] = np.rint(rows * (_LARGEST / np.maximum(peaks, 1e-12)))
    return found


def unit(rows: NDArray[np.generic]) -> Vectors:
    """Rows at unit length, float32 [rows, dimension]; zeros stay zeros."""
    values = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, 1e-12), dtype=np.float32)


def combined(captions: Vectors, pictures: Vectors, weight: float) -> Vectors:
    """unit(caption + weight · picture), float32 [items, dimension]; one of the two alone where the
    other is zeros.

    Args:
        captions, pictures: float32 [items, dimension], unit length or zeros.
    """
    return unit(captions + np.where(captions.any(axis=1, keepdims=True), weight, 1.0) * pictures)
