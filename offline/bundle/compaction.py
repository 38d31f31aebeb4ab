"""Compaction: a new bundle that holds what was added to another one and deleted from it since."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from offline.bundle.binding import write_model_files
from offline.bundle.build import count_items, write_item_files
from offline.bundle.build_report import collisions
from offline.guide.item_cells import write_cells
from semcore.bundle.bundle import (
    CALIBRATION,
    CLUSTER_FILES,
    FORMAT_VERSION,
    ITEMS,
    REPORT,
    TOKENS,
    GuideRecord,
    Manifest,
    check_bundle,
    read_manifest,
    staged,
)
from semcore.bundle.item import ADDED, Item, ItemStore
from semcore.bundle.stage import carry
from semcore.errors import JournalError, SemcoreError
from semcore.guide.guide import Guide, open_guide
from semcore.guide.item_vector import first_picture, item_vector
from semcore.guide.vectors import CAPTIONS, VECTORS, Quantised, VectorTable, save_rows
from semcore.identifiers.naming import Namer
from semcore.identifiers.tokens import IdentifierTokenizer, load_tokenizer
from semcore.journal.change import Entry
from semcore.journal.journal import Journal
from semcore.journal.picture_folder import PictureFolder
from semcore.model.eyesight import side_seen
from semcore.model.fingerprint import check_model

_KEPT = (*CLUSTER_FILES, TOKENS, CALIBRATION)


def compact_bundle(
    bundle: Path, journal: Path, out: Path, pictures: Path | None = None
) -> Manifest:
    """Write the bundle ``out``, which may be the same; the service may go on writing meanwhile.

    Changes stay out that another one may still come before: those of a replica that the others were
    not told yet. Changes that the model cannot spell are set aside, and tried again with the next
    bundle. The pictures of added items stay where they are.

    Args:
        pictures: the folder of the pictures of added items, if not the one that the journal names.

    Raises:
        BundleError: the bundle is missing or damaged, or lacks changes that the journal does not
            have either.
        JournalError: there is no journal, or it cannot be read.
        ModelError: the model is missing, or another one lies in its place.
    """
    manifest = check_bundle(bundle)
    model = None
    if manifest.model is not None:
        model = manifest.model.folder(bundle)
        check_model(model, bundle, manifest.model.fingerprint, manifest.model.sample)
    changes = Journal(journal, pictures)
    try:
        if not changes.name:
            raise JournalError(
                f"there is no journal in {journal}, hence nothing to compact; name that of the "
                "service"
            )
        changes.check(manifest.held)
        # The clock first: what comes meanwhile is put in, and put in once more.
        clock = changes.holding(manifest.held)
        changed = {
            change.id: change.entry
            for change in changes.changes(manifest.held, set_aside=manifest.set_aside, settled=True)
        }
        folders = changes.picture_folders
    finally:
        changes.close()
    added, set_aside = _added(bundle, manifest, model, changed)
    store = ItemStore(bundle / ITEMS, manifest.settings.gallery)
    items = [item for item in store if item.id not in changed]
    store.close()
    items += added
    _gather(items, PictureFolder(folders[0]), [*folders[1:], Path(manifest.corpus.added_root)])
    gallery = tuple(dict.fromkeys((*manifest.settings.gallery, ADDED)))
    compacted = manifest.model_copy(
        update={
            "format_version": FORMAT_VERSION,
            "created": datetime.now(UTC),
            "corpus": manifest.corpus.model_copy(update={"added_root": str(folders[0].resolve())}),
            "settings": manifest.settings.model_copy(update={"gallery": gallery}),
            "counts": count_items(items, gallery),
            "journal": None,
            "clock": clock,
            "set_aside": tuple(sorted(set_aside)),
        }
    )
    if manifest.model is not None and model is not None:
        place = os.path.relpath(model, out.resolve())
        moved = manifest.model.model_copy(update={"path": place})
        compacted = compacted.model_copy(update={"model": moved})
    with staged(out, compacted) as stage:
        for name in _KEPT:
            if name in manifest.files:
                carry(bundle / name, stage / name)
        report = json.loads((bundle / REPORT).read_text())
        report["collisions"] = collisions(items, gallery)
        report["set_aside"] = set_aside
        (stage / REPORT).write_text(json.dumps(report, indent=2))
        write_item_files(stage, items, gallery)
        if compacted.guide is not None:
            _carry_vectors(stage, bundle, compacted.guide, model, items, changed, folders)
            write_cells(stage, gallery)
        if model is not None:
            write_model_files(stage, compacted, model)
    return read_manifest(out)


def _added(
    bundle: Path, manifest: Manifest, model: Path | None, changed: Mapping[str, Entry | None]
) -> tuple[list[Item], dict[str, str]]:
    """The items of all entries, and by id why one cannot be put into the bundle."""

    @cache
    def namer() -> Namer:
        """Loaded for the first item that was named by other clusters."""
        return Namer(bundle, manifest.settings)

    spelling = None if model is None else IdentifierTokenizer(load_tokenizer(model))
    added, set_aside = [], {}
    for entry in filter(None, changed.values()):
        try:
            item = entry.item_for(manifest.clusters, lambda *asked: namer().name(*asked))
            if spelling is not None:
                spelling.check(item.identifier)
            added.append(item)
        except (SemcoreError, ValueError) as error:
            set_aside[entry.id] = str(error)
    return added, set_aside


def _carry_vectors(
    stage: Path,
    bundle: Path,
    record: GuideRecord,
    model: Path | None,
    items: Sequence[Item],
    changed: Mapping[str, Entry | None],
    folders: Sequence[Path],
) -> None:
    """The guide's vectors of all items: of those that stay as the bundle has them, of those that
    came as the journal has them, or made anew where another guide made these."""
    old = ItemStore(bundle / ITEMS, ())
    numbers = {item.id: number for number, item in enumerate(old)}
    old.close()

    side = side_seen(model)

    @cache
    def guide() -> Guide:
        """Loaded for the first item that another guide has made."""
        return open_guide(record.encoder, model, record.picture_weight)

    def whole(entry: Entry) -> Quantised:
        return entry.vector_for(
            record.fingerprint,
            lambda one: item_vector(guide(), one.captions, first_picture(folders, one.image, side)),
        )

    def told(entry: Entry) -> Quantised:
        is_text = entry.kind == "text"
        return whole(entry) if is_text else item_vector(guide(), entry.captions, None)

    for name, of_entry in ((VECTORS, whole), (CAPTIONS, told)):
        if not (bundle / name).exists():
            continue
        table = VectorTable(bundle, name).rows
        rows = np.zeros((len(items), table.shape[1]), dtype=np.int8)
        for place, item in enumerate(sorted(items, key=lambda item: item.id)):
            entry = changed.get(item.id)
            rows[place] = table[numbers[item.id]] if entry is None else of_entry(entry)
        save_rows(stage / name, rows)


def _gather(items: Sequence[Item], folder: PictureFolder, others: Sequence[Path]) -> None:
    """Have the pictures of added items in one folder, also those that came before it was named."""
    for item in items:
        if item.split != ADDED or not item.image or (folder.path / item.image).is_file():
            continue
        found = next(filter(Path.is_file, (other / item.image for other in others)), None)
        if found is not None:
            folder.keep(found.read_bytes(), found.suffix)
