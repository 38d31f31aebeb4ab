"""An item in answers."""

from __future__ import annotations

from urllib.parse import quote

from semcore.bundle.item import Item
from semcore.identifiers.identifier import Identifier
from service.schemas.answer import IdentifierAnswer, ItemAnswer


def item_answer(item: Item) -> ItemAnswer:
    """An item as it is shown over HTTP."""
    identifier = Identifier.parse(item.identifier)
    return ItemAnswer(
        id=item.id,
        kind=item.kind,
        identifier=IdentifierAnswer(
            global_id=identifier.global_id,
            keywords=list(identifier.lexical_id),
            text=identifier.text,
        ),
        image=f"/items/{quote(item.id, safe='')}/image" if item.kind == "image" else None,
        text=item.caption if item.kind == "text" else None,
        metadata=dict(item.metadata),
    )
