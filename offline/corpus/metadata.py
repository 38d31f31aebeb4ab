"""Metadata of rows: what a layout holds, as the filters of the product take it."""

from __future__ import annotations

import json
import math

from offline.corpus.row import Told
from semcore.bundle.filter import LONGEST_NAME, LONGEST_TEXT, Metadata, Value
from semcore.text import composed

_WHOLE = range(-(2**63), 2**63)


def read_metadata(told: Told) -> Metadata:
    """The metadata of a picture; what is null, or no number, is absent.

    Args:
        told: an object, or a text that is one in JSON.

    Raises:
        ValueError: a field cannot be one of metadata; the message names it and its fault.
    """
    if isinstance(told, str):
        try:
            told = json.loads(told) if told.strip() else None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"metadata is no JSON: {error}") from error
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise ValueError(f"metadata is {_kind(told)}, and no object of fields")
    found: dict[str, Value | list[Value]] = {}
    for name, value in told.items():
        if not 0 < len(name) <= LONGEST_NAME:
            raise ValueError(
                f"a field of the metadata has a name of {len(name)} characters; it may have 1 to "
                f"{LONGEST_NAME}"
            )
        field = f"metadata.{name}"
        if isinstance(value, list):
            values = [_value(field, one) for one in value]
            found[name] = [one for one in values if one is not None]
        elif (one := _value(field, value)) is not None:
            found[name] = one
    return found


def _value(field: str, told: Told) -> Value | None:
    if isinstance(told, bool) or told is None:
        return told
    if isinstance(told, int):
        return told if told in _WHOLE else _real(field, float(told))
    if isinstance(told, float):
        return None if math.isnan(told) else _real(field, told)
    if isinstance(told, str):
        if len(told) > LONGEST_TEXT:
            raise ValueError(
                f"{field} has {len(told)} characters; it may have at most {LONGEST_TEXT}"
            )
        return composed(told)
    raise ValueError(f"{field} is {_kind(told)}, and no text, number, boolean or list of these")


def _real(field: str, value: float) -> float:
    if math.isinf(value):
        raise ValueError(f"{field} is infinite")
    return value


def _kind(told: object) -> str:
    """What something is, for people."""
    if isinstance(told, dict):
        return "an object"
    if isinstance(told, list):
        return "a list"
    return f"a {type(told).__name__}"
