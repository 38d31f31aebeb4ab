"""Bundles of a few items, without identifiers' files or a model: made in a moment."""

from collections.abc import Iterable
from pathlib import Path

from semcore.bundle.bundle import ITEMS, CorpusRecord, Manifest, SettingsRecord, staged
from semcore.bundle.item import Item, write_items

BLANK = Manifest(
    corpus=CorpusRecord(name="c", fingerprint="f", image_root="/images", held_out_rule="none"),
    settings=SettingsRecord(
        clusters=2, keywords=4, cluster_words=5, encoder="e", seed=0, gallery=("test",)
    ),
    counts={"image": 1},
)


def bundle_of(items: Iterable[Item], path: Path, image_root: str | Path = "/images") -> Path:
    """A bundle at ``path``; the items of its split ``test`` can be found."""
    corpus = BLANK.corpus.model_copy(update={"image_root": str(image_root)})
    with staged(path, BLANK.model_copy(update={"corpus": corpus})) as stage:
        write_items(stage / ITEMS, items, BLANK.settings.gallery)
    return path
