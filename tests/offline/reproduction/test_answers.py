"""Ranks are those of what was found, and what was answered is read as it was written."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from offline.reproduction.answers import answered, read_answers, write_answers
from semcore.bundle.item import Item
from semcore.identifiers.encoder import Vectors


def item(pair: str) -> Item:
    return Item(f"{pair}.png", "image", "test", pair, False, "a boat", f"{pair}.png", "<g0> boat")


QUERY = Item("b#0", "text", "test", "b", True, "a red boat", "", "<g0> boat red")
FOUND = [item(pair) for pair in ("a", "b", "c", "b")]


def floats(*values: float) -> Vectors:
    return np.array(values, dtype=np.float32)


def test_ranks_are_those_of_the_first_right_item() -> None:
    near = floats(0.9, 0.7, 0.5, 0.25)
    found = answered(QUERY, FOUND, near, near)
    assert (found.query, found.pair) == ("b#0", "b")
    assert (found.beam, found.verified, found.first_changed) == (2, 2, False)
    assert found.lead == pytest.approx(0.2)
    missed = answered(QUERY, FOUND[::2], near[::2], near[::2])
    assert (missed.beam, missed.verified) == (None, None)


def test_scores_put_the_first_items_into_another_order() -> None:
    near = floats(0.9, 0.8, 0.7, 0.6)
    better = answered(QUERY, FOUND, near, floats(1.0, 2.0))
    assert (better.beam, better.verified, better.first_changed) == (2, 1, True)
    worse = answered(QUERY, FOUND, near, floats(2.0, 1.0, 1.5))
    assert (worse.beam, worse.verified, worse.first_changed) == (2, 3, False)


def test_a_search_may_find_one_item_or_none() -> None:
    none = answered(QUERY, [], floats(), floats())
    assert (none.beam, none.verified, none.first_changed) == (None, None, False)
    one = answered(QUERY, FOUND[1:2], floats(0.5), floats(0.5))
    assert (one.beam, one.lead) == (1, math.inf)


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    near = floats(0.9, 0.7)
    found = [
        answered(QUERY, FOUND[:2], near, near),
        answered(QUERY, FOUND[1:2], near[:1], near[:1]),
    ]
    write_answers(tmp_path, {"text-to-image": found, "image-to-text": found[1:]})
    assert read_answers(tmp_path) == {"text-to-image": found, "image-to-text": found[1:]}
    write_answers(tmp_path, {"text-to-image": [replace(found[0], beam=None)]})
    assert read_answers(tmp_path) == {
        "text-to-image": [replace(found[0], beam=None)],
        "image-to-text": [],
    }
