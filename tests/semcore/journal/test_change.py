"""A change names its item and, where it adds one, all that an index needs of it."""

import pytest
from pydantic import ValidationError

from semcore.bundle.item import ADDED
from semcore.identifiers.identifier import Identifier
from semcore.journal.change import Entry

ENTRY = Entry(
    id="a",
    kind="text",
    pair="a",
    captions=("two boats",),
    image="",
    metadata={"year": 1990},
    identifier="<g1> boats",
    clusters="these",
)


@pytest.mark.parametrize("image", ["../x.png", "/x.png", "a/x.png", ".."])
def test_a_picture_lies_in_the_folder_of_pictures(image: str) -> None:
    with pytest.raises(ValidationError, match="no plain name of a file"):
        Entry.model_validate({**ENTRY.model_dump(), "image": image})


def test_an_item_is_named_anew_by_other_clusters() -> None:
    asked = []

    def name(*what: object) -> Identifier:
        asked.append(what)
        return Identifier(2, ("ships",))

    assert ENTRY.item_for("these", name).identifier == "<g1> boats"
    assert asked == []
    item = ENTRY.item_for("others", name)
    assert (item.identifier, item.split, item.caption) == ("<g2> ships", ADDED, "two boats")
    assert asked == [("text", ("two boats",))]
