"""Hard negatives are of other pairs, of the right kind, and say nearly the same."""

from offline.training.candidates import Query
from offline.training.hard_negatives import with_hard_negatives
from semcore.bundle.item import Item
from semcore.identifiers.encoder import Encoder

CAPTIONS = {"a": "a red boat", "b": "one red boat at sea", "c": "a green cat", "d": "red boats"}
ITEMS = [
    item
    for pair, caption in CAPTIONS.items()
    for item in (
        Item(pair, "image", "train", pair, False, caption, f"{pair}.png", "<g0> boat"),
        Item(f"{pair}#0", "text", "train", pair, True, caption, "", "<g0> boat"),
    )
]


def test_adds_what_nearly_matches() -> None:
    of_id = {item.id: item for item in ITEMS}
    queries = [Query("text-to-image", "a red boat", "a"), Query("image-to-text", "a.png", "a")]
    sets = [[of_id["a"], of_id["d"]], [of_id["c#0"]]]
    found = with_hard_negatives(queries, sets, ITEMS, Encoder(), count=1)
    assert [item.id for item in found[0]] == ["a", "d", "b"]
    assert found[1][0].id == "c#0"
    assert found[1][1].id in {"b#0", "d#0"}
    every = with_hard_negatives(queries, sets, ITEMS, Encoder(), count=9)
    assert [len(items) for items in every] == [4, 3]
