"""Diagnoses of hand-made answers."""

import pytest

from offline.evaluation.diagnosis import Flips, flips, reliability, survival, suspects
from offline.evaluation.query_runner import Answered, Shown
from semcore.bundle.item import Item
from semcore.identifiers.encoder import Encoder


def answer(
    query: str, verified: int | None, beam: int | None, confidence: float = 1.0,
    lost_at: int | None = None, first: str = "",
) -> Answered:  # fmt: skip
    items = [Shown(first, -1.0, None)] if first else []
    return Answered(query, verified, beam, 1.0, False, 0.0, confidence, lost_at, items)


def test_survival_falls_where_beams_lose_the_item() -> None:
    answered = [answer("a", 1, 1), *(answer("b", None, None, lost_at=at) for at in (1, 3, 3))]
    assert survival(answered) == [1.0, 0.75, 0.75, 0.25]
    assert survival([answer("a", 1, 1)]) == [1.0]


def test_reliability_compares_promise_and_truth() -> None:
    answered = [answer("a", 1, 1, 0.95)] * 3 + [answer("b", 2, 1, 0.95)] + [answer("c", 2, 2, 0.3)]
    found = reliability(answered)
    assert [(one.accuracy, one.answers) for one in found.bins] == [(0.0, 1), (0.75, 4)]
    assert found.error == pytest.approx((0.3 + 4 * 0.2) / 5)


def test_flips_are_gains_and_losses_of_the_first_place() -> None:
    answered = [answer("gain", 1, 2), answer("loss", 2, 1), answer("same", 1, 1)]
    assert flips(answered) == Flips(["gain"], ["loss"])


def test_suspects_are_wrong_answers_that_say_the_same() -> None:
    items = {}
    for pair, caption in (("a", "a red boat"), ("b", "one red boat"), ("c", "a green cat")):
        items[pair] = Item(pair, "image", "test", pair, False, caption, f"{pair}.png", "")
        items[f"{pair}#0"] = Item(f"{pair}#0", "text", "test", pair, True, caption, "", "")
    answered = [
        answer("a#0", 2, 2, first="c"),
        answer("a#0", 2, 2, first="b"),
        answer("b#0", 1, 1, first="b"),
        answer("b#0", 2, 2, first="added later"),
    ]
    found = suspects(answered, items, Encoder(), most=5)
    assert [one.found for one in found] == ["b", "c"]
    assert found[0].likeness > found[1].likeness
