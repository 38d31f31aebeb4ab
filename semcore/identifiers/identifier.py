"""Structured identifiers (SIDs): a Global ID (cluster) followed by a Lexical ID (keywords)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GLOBAL = re.compile(r"<g(\d+)>")
_PART = re.compile(r"<(?!g)[a-z]+\d\w*>|[^\s<>]+")


@dataclass(frozen=True, slots=True)
class Identifier:
    """One SID: ``global_id`` is a cluster number, ``lexical_id`` its keywords in order.

    As text: ``<g17> boat red night two``. The cluster is one token of the model; the keywords
    are plain words, which is why an item can be added without training.

    Identifiers of other schemes may lack the cluster, and have numbers or tokens of the model's
    own, such as ``<c0_5>``, in place of keywords.
    """

    global_id: int | None
    lexical_id: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """What is spelled, in order: tokens of the model's own and words."""
        if self.global_id is None:
            return self.lexical_id
        return (global_token(self.global_id), *self.lexical_id)

    @property
    def text(self) -> str:
        return " ".join(self.parts)

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """The inverse of :attr:`text`. Raises ``ValueError`` on anything else."""
        parts = tuple(text.split(" "))
        cluster = _GLOBAL.fullmatch(parts[0])
        lexical_id = parts if cluster is None else parts[1:]
        if not all(_PART.fullmatch(part) for part in lexical_id):
            raise ValueError(f"{text!r} is no identifier; one looks like '<g17> boat red night'")
        return cls(None if cluster is None else int(cluster[1]), lexical_id)


def global_token(global_id: int) -> str:
    """The reserved token that stands for a cluster."""
    return f"<g{global_id}>"


def is_token(part: str) -> bool:
    """Whether a part of an identifier is a token of the model's own, and no word."""
    return part.startswith("<")
