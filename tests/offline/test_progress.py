"""A terminal shows bars; elsewhere there is a first and a last line, and libraries are quiet."""

import re

import pytest
from terminal import shown

COUNTING = """
import time
from offline.progress import progress
for _ in progress([1, 2, 3], "counting", total=3):
    time.sleep(0.8)
"""
LOADING = """
import offline
from semcore.identifiers.encoder import Encoder
Encoder().encode([str(number) for number in range(2100)])
"""
_BAR = re.compile(r"\d+%\|")


def test_a_bar_in_a_terminal() -> None:
    said = shown(COUNTING, terminal=True)
    assert said.startswith("\rcounting:")
    assert _BAR.search(said)
    assert "begins" not in said


def test_two_lines_elsewhere() -> None:
    said = shown(COUNTING, terminal=False)
    assert re.fullmatch(r"counting: begins\ncounting: 3 in \d+\.\d s\n", said)


@pytest.mark.parametrize("terminal", [True, False])
def test_libraries_draw_bars_in_a_terminal_only(terminal: bool) -> None:
    """While weights are loaded, and while many texts are encoded."""
    said = shown(LOADING, terminal=terminal)
    if terminal:
        assert re.search(r"Loading weights: *\d+%\|", said)
        assert re.search(r"Batches: *\d+%\|", said)
    else:
        assert said == ""
