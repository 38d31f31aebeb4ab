"""Compaction: a new bundle that holds what was added to another one and deleted from it since."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from offline.binding import write_model_files
from offline.build import collisions, count_items, write_item_files
from semcore.bundle import (
    CALIBRATION,
    CLUSTER_FILES,
    ITEMS,
    REPORT,
    TOKENS,
    JournalRecord,
    Manifest,
    check_bundle,
    read_manifest,
    staged,
)
from semcore.errors import BundleError, JournalError
from semcore.item import ADDED, ItemStore
from semcore.journal import Journal
from semcore.naming import Namer

_KEPT = (*CLUSTER_FILES, TOKENS, CALIBRATION)


def compact_bundle(bundle: Path, journal: Path, out: Path) -> Manifest:
    """Write the bundle ``out``, which may be the same; the service may go on writing meanwhile.

    The pictures of added items stay in the folder of the journal.

    Raises:
        BundleError: the bundle is missing, damaged or not trained.
        JournalError: there is no journal, or it cannot be read.
        ModelError: the model is missing.
    """
    manifest = check_bundle(bundle)
    if manifest.model is None:
        raise BundleError(f"{bundle} has no model yet; run 'semcore train' on it")
    model = manifest.model.folder(bundle)
    changes = Journal(journal)
    if not changes.name:
        raise JournalError(
            f"there is no journal in {journal}, hence nothing to compact; name that of the service"
        )
    last = changes.last
    changed = {change.id: change.entry for change in changes.since(manifest.holds(changes.name))}

    @cache
    def namer() -> Namer:
        """Loaded for the first item that was named by other clusters."""
        return Namer(bundle, manifest.settings)

    store = ItemStore(bundle / ITEMS, manifest.settings.gallery)
    items = [item for item in store if item.id not in changed]
    items += [
        entry.item_for(manifest.clusters, lambda *asked: namer().name(*asked))
        for entry in changed.values()
        if entry is not None
    ]
    gallery = tuple(dict.fromkeys((*manifest.settings.gallery, ADDED)))
    compacted = manifest.model_copy(
        update={
            "created": datetime.now(UTC),
            "corpus": manifest.corpus.model_copy(
                update={"added_root": str(changes.pictures.resolve())}
            ),
            "settings": manifest.settings.model_copy(update={"gallery": gallery}),
            "counts": count_items(items, gallery),
            "journal": JournalRecord(name=changes.name, last=last),
            "model": manifest.model.model_copy(
                update={"path": os.path.relpath(model, out.resolve())}
            ),
        }
    )
    with staged(out, compacted) as stage:
        for name in _KEPT:
            if name in manifest.files:
                shutil.copy2(bundle / name, stage / name)
        report = json.loads((bundle / REPORT).read_text())
        report["collisions"] = collisions(items, gallery)
        (stage / REPORT).write_text(json.dumps(report, indent=2))
        write_item_files(stage, items, gallery)
        write_model_files(stage, compacted, model)
    store.close()
    changes.close()
    return read_manifest(out)
