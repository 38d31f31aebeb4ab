"""Where a training works, and how its model comes to where it is to be.

::

    OUT.work/origin.json    what the training is made of
    OUT.work/STAGE          each stage that is finished, a folder
    OUT                     the model with its record, as a whole
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offline.provenance import claim, is_used
from semcore.bundle.stage import discard, put, sweep
from semcore.errors import ModelError
from semcore.model.fingerprint import note_fingerprint
from semcore.model.training_record import RECORD

_ORIGIN, _SEEN = "origin.json", "seen"


@dataclass(frozen=True, slots=True)
class Workplace:
    """Attributes:
    out: folder of the model.
    origin: what it is made of, as JSON has it.
    """

    out: Path
    origin: Mapping[str, object]

    @property
    def folder(self) -> Path:
        """Of the stages."""
        return self.out.with_name(f"{self.out.name}.work")

    def is_done(self) -> bool:
        """Whether the model of this origin is there."""
        try:
            record = json.loads((self.out / RECORD).read_text())
        except (OSError, ValueError):
            return False
        record.pop(_SEEN, None)
        return bool(record == self.origin) and any(self.out.glob("*.safetensors"))

    def claim(self, processes: int) -> None:
        """What lies in the folder is used again, and must have been made of the same.

        Args:
            processes: that train; steps and checkpoints are counted for so many.

        Raises:
            ModelError: it was made of something else.
        """
        other = ModelError(
            f"{self.folder} holds a training that was begun with another bundle, base, "
            "settings or number of processes; delete it, or name another folder for the model"
        )
        in_use = is_used(self.folder)
        origin = {**self.origin, "processes": processes}
        claim(self.folder / _ORIGIN, origin, in_use=in_use, other=other)

    def record(self, seen: Mapping[str, int]) -> str:
        """The text of :data:`RECORD`. ``seen``: samples of each stage."""
        return json.dumps({**self.origin, _SEEN: seen}, indent=2)

    def publish(self, last: Path, notes: Mapping[str, str], more: Path | None = None) -> None:
        """Put a copy of the last stage, with notes (texts by file name) and the files of another
        folder, where the model is to be, as a whole; the stages go."""
        copy = self.folder / "model"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(last, copy)
        if more is not None:
            shutil.copytree(more, copy, dirs_exist_ok=True)
        for name, text in notes.items():
            (copy / name).write_text(text)
        note_fingerprint(copy)
        put(copy, self.out)
        self.clear()

    def clear(self) -> None:
        """Take the stages away, as a whole, since what is half deleted must not be gone on with."""
        sweep(self.out)
        if self.folder.exists():
            discard(self.folder, self.out)


def samples_seen(model: Path) -> int:
    """By a model in all its stages."""
    return sum(json.loads((model / RECORD).read_text())[_SEEN].values())
