"""The items that the small model was trained on."""

from pathlib import Path

import pytest

from semcore.bundle.item import Item, ItemStore


@pytest.fixture(scope="session")
def training_items(trained: Path) -> list[Item]:
    store = ItemStore(trained / "bundle/items.sqlite", ("train",))
    items = [*store.of_split("train", "image"), *store.of_split("train", "text")]
    store.close()
    return items
