"""Structured identifiers (SIDs): a Global ID (cluster) followed by a Lexical ID (keywords)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATTERN = re.compile(r"<g(\d+)>((?: [^\s<>]+)*)")


@dataclass(frozen=True, slots=True)
class Identifier:
    """One SID: ``global_id`` is a cluster number, ``lexical_id`` its keywords in order.

    As text: ``<g17> boat red night two``. The cluster is one token of the model; the keywords
    are plain words, which is why an item can be added without training.
    """

    global_id: int
    lexical_id: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join((global_token(self.global_id), *self.lexical_id))

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """The inverse of :attr:`text`. Raises ``ValueError`` on anything else."""
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no identifier; one looks like '<g17> boat red night'")
        return cls(int(match[1]), tuple(match[2].split()))


def global_token(global_id: int) -> str:
    """The reserved token that stands for a cluster."""
    return f"<g{global_id}>"
