"""What verification tells the model of a candidate, beside its picture or text."""

from __future__ import annotations

from collections.abc import Sequence

from semcore.bundle.item import Item
from semcore.identifiers.identifier import Identifier
from semcore.model.prompt import Told, excerpt, normalise_query


def told_words(item: Item, told: Told) -> Sequence[str]:
    """The keywords of a candidate; of a picture, where ``told`` says so, the words of the captions
    that its identifier was made of. A text speaks for itself."""
    if told == "captions" and item.kind == "image" and item.caption:
        return normalise_query(excerpt(item.caption)).split()
    return Identifier.parse(item.identifier).lexical_id
