"""Bundles whose manifest says something else, soundly sealed."""

import shutil
from pathlib import Path

from semcore.bundle.bundle import MANIFEST, ModelRecord, read_manifest
from semcore.model.fingerprint import model_fingerprint, model_sample
from semcore.model.training_record import LearnedGsv


def copied(
    bundle: Path,
    to: Path,
    model: Path | None = None,
    *,
    sampled: bool = True,
    gsv: LearnedGsv = LearnedGsv(),  # noqa: B008
) -> Path:
    """A copy that names the same model, or another one.

    Args:
        sampled: as bundles have it since samples of weights are in them.
        gsv: how the model is said to have learned to verify.
    """
    shutil.copytree(bundle, to)
    manifest = read_manifest(bundle)
    assert manifest.model is not None
    folder = model or manifest.model.folder(bundle)
    record = ModelRecord(
        path=str(folder),
        fingerprint=model_fingerprint(folder),
        sample=model_sample(folder) if sampled else "",
        gsv=gsv,
    )
    sealed = manifest.model_copy(update={"model": record}).sealed()
    (to / MANIFEST).write_text(sealed.model_dump_json())
    return to
