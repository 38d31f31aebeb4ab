"""What may be found is nothing where there are neither items nor cells."""

import numpy as np
from pyroaring import BitMap

from semcore.guide.cells import build_cells
from service.guide.visible import Visible


def test_empty() -> None:
    assert Visible(BitMap()).is_empty
    assert not Visible(BitMap([1])).is_empty
    cells = build_cells([("<g0> boat", 0)], np.ones((1, 4), dtype=np.int8))
    assert not Visible(BitMap(), cells).is_empty
