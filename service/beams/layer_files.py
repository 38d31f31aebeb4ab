"""The files of layers, by which the service tells the engine's process what to spell."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semcore.errors import BundleError
from semcore.trie.layers import Layer, Layers
from semcore.trie.walk import Walk, file_names, load_walk

LayerFiles = tuple[tuple[str, str], ...]
"""Of each layer the stem of its walk's files, and the file of its live edges, "" for all."""
MOST_LAYERS = 2
_KEPT = 16

_opened: OrderedDict[LayerFiles, Layers] = OrderedDict()


def open_layers(files: LayerFiles) -> Layers:
    """The layers of these files, mapped. The last few stay open, so that several indexes serve
    together; those whose files are gone were retired, and are let go first.

    Raises :class:`BundleError` that names a file it cannot read.
    """
    if files in _opened:
        _opened.move_to_end(files)
        return _opened[files]
    for older in [older for older in _opened if are_gone(older)]:
        del _opened[older]
    if len(_opened) >= _KEPT:
        _opened.popitem(last=False)
    _opened[files] = Layers([Layer(_open_walk(stem), _open_live(live)) for stem, live in files])
    return _opened[files]


def are_gone(files: LayerFiles) -> bool:
    """Whether the layers were retired: nobody will ask for them any more."""
    return not all(map(_is_there, files))


def _open_walk(stem: str) -> Walk:
    """That of a layer that is open already, if there is one."""
    for files, layers in _opened.items():
        for (name, _), layer in zip(files, layers, strict=True):
            if name == stem:
                return layer.walk
    return load_walk(Path(stem))


def _open_live(path: str) -> NDArray[np.bool_] | None:
    if not path:
        return None
    try:
        # Copy on write, because torch shares no memory that it may not write; nobody writes.
        return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"{path} cannot be read ({error}); load the index again") from error


def _is_there(files: tuple[str, str]) -> bool:
    stem, live = files
    first = Path(stem).with_name(file_names(Path(stem).name)[0])
    return first.exists() and (not live or Path(live).exists())
