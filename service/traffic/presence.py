"""Presence: whoever waits for an answer ends the work for it by going."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, TypeVar

_Answer = TypeVar("_Answer")


class Presence(Protocol):
    """Awaits work for as long as somebody waits for it."""

    async def __call__(self, work: Awaitable[_Answer], /) -> _Answer: ...


async def present(work: Awaitable[_Answer]) -> _Answer:
    """For those who always wait."""
    return await work
