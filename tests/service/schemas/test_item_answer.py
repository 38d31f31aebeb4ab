"""An item is shown with its identifier in parts, and a link to its picture."""

from semcore.bundle.item import Item
from service.schemas.item_answer import item_answer


def test_an_id_is_quoted_in_its_link() -> None:
    item = Item("boats/1 2.jpg", "image", "test", "boats/1 2.jpg", False, "", "1.jpg", "<g0> boat")
    shown = item_answer(item)
    assert shown.image == "/items/boats%2F1%202.jpg/image"
    assert (shown.identifier.global_id, shown.identifier.keywords) == (0, ["boat"])
