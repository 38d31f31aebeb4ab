"""What a model's folder says of its training, as far as those who ask the model must know it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from semcore.errors import ModelError
from semcore.model.prompt import GsvForm, Told

RECORD = "training.json"


class LearnedGsv(BaseModel):
    """The form of verification that a model has learned.

    Attributes:
        form: how it is asked.
        told: what it is told of candidates that are pictures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: GsvForm = "pointwise"
    told: Told = "keywords"

    @classmethod
    def of_model(cls, model: Path) -> Self:
        """That of the model in a folder; the default where the folder says nothing, or where there
        was no second stage.

        Raises :class:`ModelError` if the folder's record is damaged.
        """
        file = model / RECORD
        try:
            record = json.loads(file.read_text())
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as error:
            raise _damaged(file, error) from error
        if not isinstance(record, dict):
            raise _damaged(file, "it is no object")
        if not record.get("gsv_queries"):
            return cls()
        known = {"form": record.get("gsv"), "told": record.get("gsv_told")}
        try:
            return cls.model_validate({name: one for name, one in known.items() if one is not None})
        except ValidationError as error:
            raise _damaged(file, error.errors()[0]["msg"]) from error


def _damaged(file: Path, reason: object) -> ModelError:
    return ModelError(f"{file} is damaged ({reason}); copy the model anew, or train it again")
