"""The settings of the service, as commands read them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from semcore.errors import SemcoreError
from service.settings import Settings


def read_settings(**given: Any) -> Settings:
    """Settings from the environment, with those ``given`` in their place unless None.

    Raises :class:`SemcoreError` that says of each that cannot be read what is wrong with it.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except SettingsError as error:
        raise SemcoreError(f"a setting is no valid JSON: {error}") from error
    except ValidationError as error:
        raise SemcoreError("; ".join(map(_said, error.errors()))) from error


def _said(fault: Any) -> str:
    """One fault; one of several settings together names them itself."""
    said = fault["msg"].removeprefix("Value error, ")
    name = "_".join(str(part).upper() for part in fault["loc"])
    return f"SEMCORE_{name}: {said}" if name else said
