"""Changes of items, as a service writes them to its journal."""

from semcore.journal.change import Change, Entry


def addition(item_id: str, caption: str = "a boat") -> Change:
    entry = Entry(
        id=item_id,
        kind="text",
        pair=item_id,
        captions=(caption,),
        image="",
        metadata={"year": 1990, "tags": ["a", "b"]},
        identifier="<g1> boat",
        clusters="c",
    )
    return Change(item_id, entry)
