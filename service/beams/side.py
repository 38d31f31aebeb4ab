"""A side of the index: all that can be found of one kind of item."""

from __future__ import annotations

from pathlib import Path

from pyroaring import BitMap

from semcore.trie.layers import Layers
from service.beams.layer_files import LayerFiles, open_layers
from service.guide.visible import Visible


class Side:
    """The identifiers of one kind of item, and the files by which the engine knows them.

    Attributes:
        visible: what the guide may find; None where it only compares what the beams have found.
    """

    def __init__(self, layers: Layers, files: LayerFiles, visible: Visible | None = None) -> None:
        self.layers = layers
        self.files = files
        self.visible = visible

    @property
    def size(self) -> int:
        """Bytes of what belongs to it alone: of each layer the live edges, in memory and as a file,
        and the items."""
        numbers = None if self.visible is None else self.visible.numbers
        return set_size(numbers) + sum(
            (0 if layer.live is None else 2 * layer.live.nbytes) + set_size(layer.listed)
            for layer in self.layers
        )

    @classmethod
    def of(cls, stem: Path) -> Side:
        """Those of one walk, by the stem of its files."""
        files = ((str(stem), ""),)
        return cls(open_layers(files), files)


def set_size(items: BitMap | None) -> int:
    """Bytes of a set of items."""
    if items is None:
        return 0
    told = items.get_statistics()
    return (
        told["n_bytes_array_containers"]
        + told["n_bytes_run_containers"]
        + told["n_bytes_bitset_containers"]
    )
