"""Records keep what stands in quotation marks; one that is not closed costs its own line only."""

import io

import pytest

from offline.corpus.layouts.separated import numbered_picture, records, shape_of
from offline.corpus.row import BadRow, Columns

UNCLOSED = "a quotation mark is not closed"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\nc,d\n", [(1, ["a", "b"]), (2, ["c", "d"])]),
        ('a,"b, c"\n', [(1, ["a", "b, c"])]),
        ('a,"b\n\nc"\nd,e\n', [(1, ["a", "b\n\nc"]), (4, ["d", "e"])]),
        ('a,"b ""c"""\n', [(1, ["a", 'b "c"'])]),
        ("\na,b", [(1, []), (2, ["a", "b"])]),
        ('a,"b" said\nc,d\n', [(1, ["a", "b said"]), (2, ["c", "d"])]),
        ("", []),
    ],
)
def test_commas(text: str, found: list[tuple[int, list[str]]]) -> None:
    assert list(records(io.StringIO(text), ",")) == found


def test_a_mark_that_is_not_closed_swallows_nothing() -> None:
    text = 'a,b\nc,"d\n' + "e,f\n" * 3000
    found = list(records(io.StringIO(text), ","))
    assert found[1] == (2, BadRow(2, UNCLOSED))
    assert len(found) == 3002
    assert found[-1] == (3002, ["e", "f"])


@pytest.mark.parametrize("separator", ["\t", "|", ";"])
def test_with_other_separators_marks_are_signs(separator: str) -> None:
    line = separator.join(["a", ' "b" said', '"c, ""d"""'])
    assert list(records(iter([line + "\n"]), separator)) == [(1, ["a", '"b" said', 'c, "d"'])]


def test_the_first_line_tells_the_columns() -> None:
    assert shape_of(["file|no|text\n"], Columns()) == ("|", ["file", "no", "text"])
    assert shape_of(["a.jpg;1;one\n"], Columns()) == (";", ["image", "column 2", "text"])


def test_a_number_of_a_caption_is_none_of_its_picture() -> None:
    assert numbered_picture("a.jpg#3") == "a.jpg"
    assert numbered_picture("a#3") == "a#3"
    assert numbered_picture(None) is None
