"""Bundles whose manifest says something else, soundly sealed."""

import shutil
from pathlib import Path

from semcore.bundle import MANIFEST, ModelRecord, read_manifest


def copied(bundle: Path, to: Path, fingerprint: str | None = None) -> Path:
    """A copy that names the same model, or one of another fingerprint."""
    shutil.copytree(bundle, to)
    manifest = read_manifest(bundle)
    assert manifest.model is not None
    model = ModelRecord(
        path=str(manifest.model.folder(bundle)),
        fingerprint=fingerprint or manifest.model.fingerprint,
    )
    sealed = manifest.model_copy(update={"model": model}).sealed()
    (to / MANIFEST).write_text(sealed.model_dump_json())
    return to
