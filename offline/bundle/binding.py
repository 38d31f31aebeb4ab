"""Binding: the last step of the offline job, which gives a bundle the walks of a model's tokens."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from offline.guide.item_cells import write_cells
from offline.image_inputs import see_pictures
from semcore.bundle.bundle import (
    CALIBRATION,
    ITEMS,
    MANIFEST,
    GuideRecord,
    Manifest,
    ModelRecord,
    check_bundle,
    read_manifest,
    staged,
)
from semcore.bundle.canary import CANARY, choose_canary, write_canary
from semcore.bundle.item import ItemStore
from semcore.bundle.picture_table import PICTURE_FILES, write_picture_table
from semcore.bundle.stage import carry
from semcore.guide.guide import open_guide
from semcore.guide.projection import Projection
from semcore.guide.vectors import (
    CAPTIONS,
    VECTORS,
    caption_table,
    combined,
    quantised,
    save_rows,
    unit,
)
from semcore.identifiers.encoder import Vectors
from semcore.identifiers.tokens import IdentifierTokenizer, load_tokenizer, trie_walk
from semcore.kind import KINDS
from semcore.model.eyesight import side_seen
from semcore.model.fingerprint import model_sample, note_fingerprint
from semcore.model.frozen_vision import has_frozen_vision
from semcore.model.picture_embedder import PictureEmbedder
from semcore.model.training_record import LearnedGsv
from semcore.model.vision_side import open_vision_side
from semcore.trie.trie import Trie
from semcore.trie.walk import file_names

_CHUNK = 65_536  # vectors


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
        path=place,
        fingerprint=note_fingerprint(model),
        sample=model_sample(model),
        gsv=LearnedGsv.of_model(model),
    )
    walks = {name for kind in KINDS for name in file_names(kind)}
    of_a_model = walks | {MANIFEST, CALIBRATION, CANARY, *PICTURE_FILES}
    guide = _bound_guide(manifest.guide, model)
    bound = manifest.model_copy(update={"model": record, "guide": guide})
    with staged(bundle, bound) as stage:
        for file in bundle.iterdir():
            if file.name not in of_a_model:
                carry(file, stage / file.name)
        if like is not None and (like / CALIBRATION).exists():
            carry(like / CALIBRATION, stage / CALIBRATION)
        write_model_files(stage, bound, model, vectors=True)
    return read_manifest(bundle)


def write_model_files(
    stage: Path, manifest: Manifest, model: Path, *, vectors: bool = False
) -> None:
    """What a bundle needs for a model, beside the items and tries that are in ``stage`` already.

    Args:
        vectors: put what the model sees of pictures into the guide's vectors, too.

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
    projection = Projection.load(model) if vectors and manifest.guide else None
    if projection is not None or has_frozen_vision(model):
        _see(stage, store, manifest, model, projection)
    elif vectors and manifest.guide:
        _forget_looks(stage)
    if vectors and manifest.guide:
        write_cells(stage, gallery)
    store.close()


def _bound_guide(record: GuideRecord | None, model: Path) -> GuideRecord | None:
    """The guide of a bundle that a model is bound to: if it reads texts only, that model's
    projection belongs to it."""
    if record is None:
        return None
    guide = open_guide(record.encoder, model, record.picture_weight)
    return GuideRecord(
        encoder=record.encoder,
        fingerprint=guide.fingerprint,
        picture_weight=guide.picture_weight,
    )


def _see(
    stage: Path, store: ItemStore, manifest: Manifest, model: Path, projection: Projection | None
) -> None:
    """Look at all pictures that can be found, once: for the visual tokens of a model that sees by
    the frozen encoder, and for the guide's vectors."""
    splits = manifest.settings.gallery
    images = [one for split in splits for one in store.numbered(split, "image")]
    images.sort(key=lambda one: one[1].id.encode())
    looks: list[Vectors] = []

    def seen() -> Iterator[Tensor]:
        sources = [manifest.corpus.picture_source(item) for _, item in images]
        for features in see_pictures(sources, open_vision_side(model), side_seen(model)):
            if projection is not None:
                looks.append(projection(features).numpy())
            yield features

    if has_frozen_vision(model):
        embedder = PictureEmbedder(model)
        chunks = (embedder.project(features) for features in seen())
        write_picture_table(stage, [item.id for _, item in images], chunks)
    else:
        deque(seen(), maxlen=0)
    if projection is not None:  # it maps texts, also where there are no pictures
        places = np.array([number for number, _ in images], dtype=np.int64)
        _project(stage, places, looks, projection)


def _project(
    stage: Path, places: NDArray[np.int64], looks: Sequence[Vectors], projection: Projection
) -> None:
    """``places``: the numbers of the pictures that ``looks``, chunk by chunk, are of."""
    captions = np.array(caption_table(stage).rows)
    whole = np.empty_like(captions)
    for start in range(0, len(captions), _CHUNK):
        rows = slice(start, start + _CHUNK)
        whole[rows] = quantised(projection.of_texts(unit(captions[rows])))
    if looks:
        told = projection.of_texts(unit(captions[places]))
        shown = np.concatenate(looks)
        whole[places] = quantised(combined(told, shown, projection.picture_weight))
    save_rows(stage / CAPTIONS, captions)
    save_rows(stage / VECTORS, whole)


def _forget_looks(stage: Path) -> None:
    """A model without a projection knows the captions only, whichever model came before."""
    save_rows(stage / VECTORS, np.array(caption_table(stage).rows))
    (stage / CAPTIONS).unlink(missing_ok=True)


def bound_model(bundle: Path) -> Path | None:
    """Folder of the model that a bundle is bound to; None if it is bound to none."""
    record = read_manifest(bundle).model
    return None if record is None else record.folder(bundle)
