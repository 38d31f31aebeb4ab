"""Names of files that come from outside: each names a file in the folder that it is meant for."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

_LONGEST = 255  # bytes


def _plain(name: str) -> str:
    if name in ("", ".", "..") or any(sign in name for sign in "/\\\0"):
        raise ValueError(f"{name!r} is no plain name of a file")
    if len(name.encode()) > _LONGEST:
        raise ValueError(f"a name of {len(name.encode())} bytes is too long for a file")
    return name


def _plain_or_none(name: str) -> str:
    return _plain(name) if name else name


FileName = Annotated[str, AfterValidator(_plain)]
"""A name without folders."""
FileNameOrNone = Annotated[str, AfterValidator(_plain_or_none)]
"""The same, or the empty string where there is no file."""
