"""Binding: the last step of the offline job, which gives a bundle the walks of a model's tokens."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from semcore.bundle import (
    MANIFEST,
    MARGINS,
    Manifest,
    ModelRecord,
    check_bundle,
    read_manifest,
    staged,
)
from semcore.item import KINDS, ItemStore
from semcore.tokens import load_tokenizer, model_fingerprint, trie_walk
from semcore.trie import Trie
from semcore.walk import file_names


def bind_bundle(bundle: Path, model: Path) -> Manifest:
    """Replace the bundle by one that holds the walks and names the model.

    Raises:
        BundleError: the bundle is missing or damaged.
        ModelError: the model is missing or lacks the tokens of the clusters.
    """
    manifest = check_bundle(bundle)
    tokenizer = load_tokenizer(model)
    place = os.path.relpath(model.resolve(), bundle.resolve())
    record = ModelRecord(path=place, fingerprint=model_fingerprint(model))
    walks = {name for kind in KINDS for name in file_names(kind)}
    with staged(bundle, manifest.model_copy(update={"model": record})) as stage:
        for file in bundle.iterdir():
            if file.name not in walks | {MANIFEST, MARGINS}:  # margins are those of a model
                shutil.copy2(file, stage / file.name)
        store = ItemStore(bundle / "items.sqlite", manifest.settings.gallery)
        for kind in KINDS:
            trie = Trie.load(bundle / f"{kind}.marisa")
            if len(trie):
                trie_walk(trie, tokenizer, store.identifiers(kind)).save(stage / kind)
        store.close()
    return read_manifest(bundle)


def bound_model(bundle: Path) -> Path | None:
    """Folder of the model that a bundle is bound to; None if it is bound to none."""
    record = read_manifest(bundle).model
    return None if record is None else record.folder(bundle)
