"""Which captions of a picture its identifier is made of, and which are queries."""

import pytest

from offline.corpus.picture import Picture, held_out_rule, text_id


@pytest.mark.parametrize(("captions", "sources"), [(1, 1), (2, 1), (3, 2), (5, 2)])
def test_holds_captions_out(captions: int, sources: int) -> None:
    picture = Picture("a", "a.png", "test", tuple(str(n) for n in range(captions)))
    assert picture.sources == tuple(str(n) for n in range(sources))
    assert Picture("a", "a.png", "test", ("b",), generated="c").sources == ("c",)


def test_a_caption_has_the_id_of_its_picture_and_a_number() -> None:
    assert text_id("a/b.png", 3) == "a/b.png#3"


def test_the_rule_tells_how_many() -> None:
    assert "its first 4 captions" in held_out_rule(4)
