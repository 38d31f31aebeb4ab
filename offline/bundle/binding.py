"""Binding: the last step of the offline job, which gives a bundle the walks of a model's tokens."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from offline.image_inputs import see_pictures
from semcore.bundle.bundle import (
    CALIBRATION,
    ITEMS,
    MANIFEST,
    Manifest,
    ModelRecord,
    check_bundle,
    read_manifest,
    staged,
)
from semcore.bundle.canary import CANARY, choose_canary, write_canary
from semcore.bundle.item import ItemStore
from semcore.bundle.picture_table import PICTURE_FILES, write_picture_table
from semcore.identifiers.tokens import IdentifierTokenizer, load_tokenizer, trie_walk
from semcore.kind import KINDS
from semcore.model.fingerprint import model_sample, note_fingerprint
from semcore.model.frozen_vision import has_frozen_vision
from semcore.model.picture_embedder import PictureEmbedder
from semcore.trie.trie import Trie
from semcore.trie.walk import file_names


def bind_bundle(bundle: Path, model: Path, like: Path | None = None) -> Manifest:
    """Replace the bundle by one that holds the walks and names the model.

    Args:
        like: a bundle of the same model, whose calibration is taken over if it has one.

    Raises:
        BundleError: the bundle is missing or damaged.
        ModelError: the model is missing or lacks the tokens of the clusters.
    """
    manifest = check_bundle(bundle)
    place = os.path.relpath(model.resolve(), bundle.resolve())
    record = ModelRecord(
        path=place, fingerprint=note_fingerprint(model), sample=model_sample(model)
    )
    walks = {name for kind in KINDS for name in file_names(kind)}
    of_a_model = walks | {MANIFEST, CALIBRATION, CANARY, *PICTURE_FILES}
    with staged(bundle, manifest.model_copy(update={"model": record})) as stage:
        for file in bundle.iterdir():
            if file.name not in of_a_model:
                shutil.copy2(file, stage / file.name)
        if like is not None and (like / CALIBRATION).exists():
            shutil.copy2(like / CALIBRATION, stage / CALIBRATION)
        write_model_files(stage, manifest, model)
    return read_manifest(bundle)


def write_model_files(stage: Path, manifest: Manifest, model: Path) -> None:
    """What a bundle needs for a model, beside the items and tries that are in ``stage`` already.

    Raises :class:`ModelError` if the model is missing or lacks the tokens of the clusters.
    """
    spelling = IdentifierTokenizer(load_tokenizer(model))
    gallery = manifest.settings.gallery
    store = ItemStore(stage / ITEMS, gallery)
    for kind in KINDS:
        trie = Trie.load(stage / f"{kind}.marisa")
        if len(trie):
            trie_walk(trie, spelling, store.identifiers(kind)).save(stage / kind)
    write_canary(stage, choose_canary(store, gallery, manifest.settings.seed))
    if has_frozen_vision(model):
        _write_pictures(stage, store, manifest, model)
    store.close()


def _write_pictures(stage: Path, store: ItemStore, manifest: Manifest, model: Path) -> None:
    """The visual tokens of all pictures that can be found."""
    splits = manifest.settings.gallery
    images = [item for split in splits for item in store.of_split(split, "image")]
    images.sort(key=lambda item: item.id.encode())
    embedder = PictureEmbedder(model)
    seen = see_pictures([manifest.corpus.image_path(item) for item in images])
    chunks = (embedder.project(features) for features in seen)
    write_picture_table(stage, [item.id for item in images], chunks)


def bound_model(bundle: Path) -> Path | None:
    """Folder of the model that a bundle is bound to; None if it is bound to none."""
    record = read_manifest(bundle).model
    return None if record is None else record.folder(bundle)
