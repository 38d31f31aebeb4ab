"""An answer is shown as it is: ranks, identifiers, and how one was spelled."""

import io
import json
import math
from typing import Any

import pytest
from rich.console import Console

from cli.answer import print_items, print_path, show

BOAT: dict[str, Any] = {
    "id": "boats[bold]/1", "rank": 1, "identifier": {"text": "<g1> boat [red]"}, "logprob": -1.234,
    "cosine": None, "verification": 0.876, "image": "/items/boats/image", "text": None,
    "probability": None, "duplicates": [], "duplicate_count": 0,
}  # fmt: skip
TEXT: dict[str, Any] = {
    **BOAT, "id": "text 2", "rank": 2, "verification": None, "image": None, "text": "a red boat",
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "items": [BOAT, TEXT], "timings": {"beams": 48.4, "total": 80.0}, "cached": False,
    "index_version": "9f2c41d07ab3", "guide": "none",
}  # fmt: skip
PATH = [
    {"text": "<g1>", "logprob": -0.5, "beaten": [{"text": " <g2>", "logprob": -1.5}]},
    {"text": " boat", "logprob": -0.25, "beaten": []},
    {"text": "", "logprob": -0.125, "beaten": [{"text": " red", "logprob": -2.0}]},
]


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=160)


def shown(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_each_item_is_a_row_of_what_was_found(console: Console) -> None:
    print_items(ANSWER, console)
    rows = [cells(line) for line in shown(console) if line.startswith("│")]
    # Brackets of names and words are none of the console's marks.
    assert rows == [
        ["1", "boats[bold]/1", "<g1> boat [red]", "-1.23", "0.88", "/items/boats/image"],
        ["2", "text 2", "<g1> boat [red]", "-1.23", "", "a red boat"],
    ]
    assert shown(console)[-1] == "index 9f2c41d07ab3, beams 48 ms, total 80 ms"


def test_how_likely_an_item_is_right_has_a_column(console: Console) -> None:
    print_items({**ANSWER, "items": [{**TEXT, "probability": 0.714}]}, console)
    lines = shown(console)
    assert "likely" in lines[1]
    (row,) = (cells(line) for line in lines if line.startswith("│"))
    assert row == ["2", "text 2", "<g1> boat [red]", "-1.23", "", "0.71", "a red boat"]


def test_what_the_guide_says_has_a_column(console: Console) -> None:
    found = {**TEXT, "logprob": None, "cosine": 0.6149}
    print_items({**ANSWER, "items": [found], "guide": "only"}, console)
    (row,) = (cells(line) for line in shown(console) if line.startswith("│"))
    assert row == ["2", "text 2", "<g1> boat [red]", "", "0.61", "", "a red boat"]
    assert shown(console)[-1].startswith("index 9f2c41d07ab3, by the guide alone, beams")


def test_what_was_folded_has_a_column(console: Console) -> None:
    best = {**BOAT, "duplicates": ["boats/2", "boats/3"], "duplicate_count": 2}
    print_items({**ANSWER, "items": [best, TEXT]}, console)
    rows = [cells(line) for line in shown(console) if line.startswith("│")]
    assert [row[-2] for row in rows] == ["boats/2, boats/3", ""]


def test_nothing_is_shown_of_an_empty_answer(capsys: pytest.CaptureFixture[str]) -> None:
    nothing: Any = None
    empty = {**ANSWER, "items": []}
    assert show(nothing, empty, None, as_json=False) is None
    assert capsys.readouterr().out == ""
    assert show(nothing, empty, None, as_json=True) is None
    assert json.loads(capsys.readouterr().out) == empty


def test_an_answer_from_the_cache_says_so(console: Console) -> None:
    print_items({**ANSWER, "items": [], "cached": True, "timings": {}}, console)
    assert shown(console)[-1] == "index 9f2c41d07ab3, from the cache"


def test_tokens_add_up_to_the_identifier(console: Console) -> None:
    print_path({**BOAT, "path": PATH}, console)
    assert "how <g1> boat [red] was spelled" in shown(console)[0]
    rows = [cells(line) for line in shown(console) if line.startswith("│")]
    assert rows == [
        ["<g1>", "-0.50", "-0.50", "<g2>\N{NO-BREAK SPACE}-1.50"],
        ["boat", "-0.25", "-0.75", ""],
        ["(end)", "-0.12", "-0.88", "red\N{NO-BREAK SPACE}-2.00"],
    ]
    assert shown(console)[-1] == f"together -0.88, a probability of {math.exp(-0.875):.2g}"
