"""Entries of a build: items before they have identifiers, and what these are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from offline.corpus.picture import Picture, text_id
from semcore.bundle.item import Item


@dataclass(frozen=True, slots=True)
class Entry:
    """An item before it has an identifier, and the captions that it is made of."""

    item: Item
    sources: tuple[str, ...]
    is_view: bool = False


def entries_of(pictures: Iterable[Picture], views: int) -> list[Entry]:
    """Of each picture itself and its captions, and up to so many views, where it has several
    sources."""
    entries = []
    for picture in pictures:
        sources = picture.sources
        split, pair, metadata = picture.split, picture.id, picture.metadata
        document = " ".join(sources)
        image = Item(
            pair, "image", split, pair, False, document, picture.image, "", metadata=metadata
        )
        entries.append(Entry(image, sources))
        if len(sources) > 1:
            entries += [Entry(image, (caption,), True) for caption in sources[: views - 1]]
        for number, caption in enumerate(picture.captions or sources):
            name, held_out = text_id(pair, number), caption not in sources
            text = Item(name, "text", split, pair, held_out, caption, "", "", metadata=metadata)
            entries.append(Entry(text, (caption,)))
    return entries


def folded(items: Sequence[Item]) -> list[Item]:
    """One item an id: identifiers of further ones of the same id become its views."""
    found: dict[str, Item] = {}
    for item in items:
        first = found.setdefault(item.id, item)
        if item.identifier not in first.identifiers:
            found[item.id] = replace(first, views=(*first.views, item.identifier))
    return list(found.values())
