"""The page of doubtful answers shows what was asked, found and right, with the pictures in it."""

import base64
import io
import re
from pathlib import Path

import pytest
from elsewhere import MISSING, PLACES, put
from noise import encoded
from PIL import Image

from offline.corpus.corpus import Corpus
from offline.evaluation.diagnosis import Suspect
from offline.evaluation.report import suspects_page
from semcore.bundle.item import Item


def test_shows_query_answer_and_what_was_right(training_items: list[Item], corpus: Corpus) -> None:
    items = {item.id: item for item in training_items}
    pictures = [item for item in training_items if item.kind == "image"][:2]
    query = next(i for i in training_items if i.kind == "text" and i.pair == pictures[0].pair)
    suspect = Suspect(query.id, pictures[1].id, 0.876)
    page = suspects_page([suspect], items, corpus.image_root)
    assert "0.88" in page
    assert f"<p>{query.caption}" in page
    shown = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(shown) == 2
    for data in shown:
        assert Image.open(io.BytesIO(base64.b64decode(data))).width > 0
    found, right = shown
    assert found != right


def test_says_which_picture_is_missing(training_items: list[Item], corpus: Corpus) -> None:
    items = {item.id: item for item in training_items}
    picture = next(item for item in training_items if item.kind == "image")
    query = next(i for i in training_items if i.kind == "text" and i.pair == picture.pair)
    elsewhere = Path(corpus.image_root) / "elsewhere"
    page = suspects_page([Suspect(query.id, picture.id, 1.0)], items, elsewhere)
    assert page.count(f"{picture.image.rsplit('/', 1)[-1]} is missing") == 2
    assert "<img" not in page


@pytest.mark.parametrize("place", PLACES)
def test_shows_pictures_that_are_no_files_by_themselves(tmp_path: Path, place: str) -> None:
    root, images = put(place, {"a.png": encoded("PNG")}, tmp_path)
    items = {
        name: Item(name, "image", "test", name, False, "boat", image, "<g1> boat")
        for name, image in {"a": images["a.png"], "lost": MISSING[place]}.items()
    }
    page = suspects_page([Suspect("lost", "a", 1.0)], items, root)
    assert page.count("data:image/jpeg;base64,") == 1
    assert page.count(f"{MISSING[place]} is missing") == 2
