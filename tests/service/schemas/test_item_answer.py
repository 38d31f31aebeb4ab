"""An item is shown with its identifier in parts, and a link to its picture."""

from semcore.bundle.item import Item
from service.schemas.item_answer import item_answer


def test_an_id_is_quoted_in_its_link() -> None:
    item = Item("boats/1 2.jpg", "image", "test", "boats/1 2.jpg", False, "", "1.jpg", "<g0> boat")
    shown = item_answer(item)
    assert shown.image == "/items/boats%2F1%202.jpg/image"
    assert (shown.identifier.global_id, shown.identifier.keywords) == (0, ["boat"])


def test_a_text_is_shown_itself_and_an_image_by_its_picture() -> None:
    described = "<g3> boat red", ("<g4> ship",), {"year": 1990}
    image = item_answer(Item("i", "image", "test", "i", False, "a caption", "i.png", *described))
    text = item_answer(Item("t", "text", "test", "i", True, "a red boat", "", *described))
    assert (image.text, image.image) == (None, "/items/i/image")
    assert (text.text, text.image) == ("a red boat", None)
    for shown in (image, text):
        assert shown.identifier.text == "<g3> boat red"
        assert shown.metadata == {"year": 1990}


def test_an_identifier_may_lack_the_cluster() -> None:
    shown = item_answer(Item("a", "text", "test", "a", False, "a boat", "", "<c0_5> <c1_3>"))
    assert (shown.identifier.global_id, shown.identifier.keywords) == (None, ["<c0_5>", "<c1_3>"])
