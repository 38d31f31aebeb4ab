"""What of an index the guide may find."""

from __future__ import annotations

from dataclasses import dataclass

from pyroaring import BitMap

from semcore.guide.cells import Cells


@dataclass(frozen=True, slots=True)
class Visible:
    """Attributes:
    numbers: of the items that are looked at one by one: all that may be found, or those that no
        cell holds since they were added.
    cells: the other items; None where there are no others.
    listed: numbers of those in cells that may be found; None: all.
    """

    numbers: BitMap
    cells: Cells | None = None
    listed: BitMap | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to find."""
        return not self.numbers and self.cells is None
