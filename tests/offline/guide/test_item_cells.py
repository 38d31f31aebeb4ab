"""Each bundle with a guide has the cells of what can be found in it."""

from pathlib import Path

import numpy as np
import pytest

from semcore.bundle.bundle import ITEMS, read_manifest
from semcore.bundle.item import ItemStore
from semcore.guide.cells import Cells, cell_files
from semcore.guide.vectors import VectorTable, unit
from semcore.kind import KINDS


@pytest.mark.parametrize("which", ["guided", "untrained"])
def test_a_bundle_with_a_guide(which: str, request: pytest.FixtureRequest) -> None:
    bundle: Path = request.getfixturevalue(which)
    manifest = read_manifest(bundle)
    store = ItemStore(bundle / ITEMS, manifest.settings.gallery)
    rows = unit(VectorTable(bundle).rows)
    for kind in KINDS:
        cells = Cells.load(bundle, kind)
        splits = manifest.settings.gallery
        numbers = sorted(n for split in splits for n in store.numbers(split, kind))
        assert sorted(cells.items.tolist()) == numbers
        # Of the vectors as they are now, with the looks of pictures where a model knows them.
        one = cells.items[: cells.starts[1]]
        place = cells.clusters
        mean = rows[one].mean(axis=0)
        np.testing.assert_allclose(cells.lengths[place], np.linalg.norm(mean), rtol=1e-4)
        np.testing.assert_allclose(unit(cells.means[[place]])[0], unit(mean[None])[0], atol=0.01)
    store.close()


def test_a_bundle_without_one(trained: Path) -> None:
    files = read_manifest(trained / "bundle").files
    assert not set(cell_files("image")) & set(files)
