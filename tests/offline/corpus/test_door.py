"""Each row becomes an entry or a bad row with its true reason; nothing else happens."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from offline.corpus.door import Door, Entry
from offline.corpus.folder import Folder
from offline.corpus.row import BadRow, Row


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for name in ("a.png", "images/b.png", "deep/er/c.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(file)
    return Folder(tmp_path)


def judged(folder: Folder, name: Any, captions: Any = "a boat", **told: Any) -> Entry | BadRow:
    return Door(folder)(Row(7, name, captions, **told))


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.png", "a.png"),
        ("./images//b.png", "images/b.png"),
        ("images/../a.png", "a.png"),
        ("images\\b.png", "images/b.png"),
        ("b.png", "images/b.png"),
        ("c.png", "deep/er/c.png"),
        ("er/c.png", "deep/er/c.png"),
    ],
)
def test_pictures_are_found_as_people_name_them(folder: Folder, name: str, image: str) -> None:
    found = judged(folder, name)
    assert isinstance(found, Entry)
    assert (found.name, found.image) == (image, image)


def test_absolute_paths_below_the_corpus_are_found(folder: Folder, tmp_path: Path) -> None:
    found = judged(folder, f"{tmp_path}/images/b.png")
    assert isinstance(found, Entry)
    assert found.image == "images/b.png"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (None, "no image is named"),
        ("", "no image is named"),
        (".", "no image is named"),
        (7, "named by int and not by a text"),
        ("none.png", "the image is missing"),
        ("images", "the image is missing"),
        ("x" * 300, "the image is missing"),
        ("../a.png", "lies outside of the corpus"),
        ("images/../../a.png", "lies outside of the corpus"),
        ("/etc/hostname", "lies outside of the corpus"),
        ("C:\\photos\\a.png", "lies outside of the corpus"),
        ("https://example.com/a.png", "the image is a URL; download the pictures first"),
        ("a\0.png", "NUL"),
        ("\ud800.png", "a half character (U+D800)"),
        ("\udce9.png", "the byte 0xe9, which is no UTF-8"),
    ],
)
def test_names_that_lead_nowhere(folder: Folder, name: Any, fault: str) -> None:
    found = judged(folder, name)
    assert isinstance(found, BadRow)
    assert fault in found.reason
    found.key.encode()


def test_links_are_refused_unless_they_are_followed(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path.with_name("outside")
    outside.mkdir()
    Image.new("RGB", (4, 4)).save(outside / "d.png")
    (tmp_path / "d.png").symlink_to(outside / "d.png")
    (tmp_path / "linked").symlink_to(outside, target_is_directory=True)
    (tmp_path / "ring.png").symlink_to(tmp_path / "ring.png")
    for name in ("d.png", "linked/d.png", "ring.png"):
        found = judged(folder, name)
        assert isinstance(found, BadRow)
        assert "--follow-links" in found.reason
    follow = Door(folder, follow_links=True)
    for name in ("d.png", "linked/d.png"):
        assert isinstance(follow(Row(1, name)), Entry)
    assert isinstance(follow(Row(1, "ring.png")), BadRow)


def test_names_of_accents_apart_are_found_and_composed(folder: Folder, tmp_path: Path) -> None:
    os.rename(tmp_path / "a.png", tmp_path / "e\u0301.png")  # noqa: PTH104
    found = judged(folder, "é.png")
    assert isinstance(found, Entry)
    assert (found.name, found.image) == ("é.png", "e\u0301.png")


@pytest.mark.parametrize(
    ("told", "captions"),
    [
        (None, ()),
        ("one\r\n two", ("one two",)),
        (["one", None, "two", float("nan")], ("one", "two")),
        ('["one", "two"]', ("one", "two")),
        ("<p>Red boat &amp; lake</p> https://x.org/a", ("Red boat & lake",)),
        ("a\0b\u200bc", ("abc",)),
        ("e\u0301", ("é",)),
    ],
)
def test_captions(folder: Folder, told: Any, captions: tuple[str, ...]) -> None:
    found = judged(folder, "a.png", told)
    assert isinstance(found, Entry)
    assert found.captions == captions


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (7, "a caption is int and not a text"),
        (["one", 7], "a caption is int and not a text"),
        ("  ", "a caption is empty"),
        ("<br/>http://example.com", "a caption has markup and URLs only"),
        ("half \ud83d", "a caption has a half character (U+D83D)"),
        ("caf\udce9", "a caption has the byte 0xe9, which is no UTF-8"),
    ],
)
def test_captions_with_a_fault(folder: Folder, told: Any, fault: str) -> None:
    found = judged(folder, "a.png", told)
    assert found == BadRow(7, fault, "a.png")


@pytest.mark.parametrize(
    ("told", "split"), [(None, ""), ("", ""), ("restval", "train"), ("Validation", "val")]
)
def test_splits(folder: Folder, told: Any, split: str) -> None:
    found = judged(folder, "a.png", split=told)
    assert isinstance(found, Entry)
    assert found.split == split


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"split": "other"}, "the split 'other' is none of train, val, test"),
        ({"split": 3}, "the split 3 is none of"),
        ({"id": True}, "the id True is neither"),
        ({"id": ""}, "the id '' is neither"),
        ({"id": "\ud800"}, "the id has a half character"),
        ({"metadata": {"size": {}}}, "metadata.size is an object"),
        ({"metadata": {"text": "\ud800"}}, "the metadata has a half character"),
    ],
)
def test_other_fields_with_a_fault(folder: Folder, told: dict[str, Any], fault: str) -> None:
    found = judged(folder, "a.png", **told)
    assert isinstance(found, BadRow)
    assert fault in found.reason
    assert found.key == "a.png"


def test_an_id_may_be_a_number(folder: Folder) -> None:
    found = judged(folder, "a.png", id=7)
    assert isinstance(found, Entry)
    assert found.id == "7"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ANYTHING | st.sampled_from(["a.png", "images/b.png", "..", "/", "\\", "a.png/x", "~"])


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, told=st.tuples(ANYTHING, ANYTHING, ANYTHING, ANYTHING))
def test_every_row_is_taken_or_told(folder: Folder, name: Any, told: tuple[Any, ...]) -> None:
    found = Door(folder)(Row(1, name, *told))
    if isinstance(found, BadRow):
        assert found.reason
        found.key.encode()
    else:
        assert found.image in ("a.png", "images/b.png", "deep/er/c.png")
        "".join([found.name, found.id, *found.captions]).encode()
