"""One word has one spelling, and a text one line."""

import pytest

from semcore.text import composed, one_line


def test_letters_and_their_accents_are_put_together() -> None:
    assert composed("e\u0301te\u0301") == "\u00e9t\u00e9" == composed("\u00e9t\u00e9")
    assert composed("\u1112\u1161\u11ab") == "\ud55c"
    # What only looks alike stays: a ligature and a letter of full width say how they are written.
    assert composed("\ufb01 \uff21") == "\ufb01 \uff21"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a  red\tboat", "a red boat"),
        (" a\r\nboat \n", "a boat"),
        ("a\u00a0boat\u2003at\u2028sea", "a boat at sea"),
        ("e\u0301te\u0301\n", "\u00e9t\u00e9"),
        ("  \n ", ""),
        ("", ""),
    ],
)
def test_a_text_has_one_line_without_surplus_space(text: str, line: str) -> None:
    assert one_line(text) == line
    assert one_line(line) == line
