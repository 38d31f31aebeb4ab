"""A budget fits its base, and what cannot be spent is refused by name."""

from dataclasses import replace

import pytest

from offline.model.tiny import SIZES
from offline.reproduction.budgets import BUDGETS, choose_budget
from offline.training.presets import SMALL, TINY
from semcore.errors import SemcoreError


@pytest.mark.parametrize("base", ["tiny", "small"])
@pytest.mark.parametrize("name", BUDGETS)
def test_what_is_compared_is_within_the_budget(name: str, base: str) -> None:
    budget = choose_budget(name, base, ["test"])
    assert (budget.name, budget.base) == (name, base)
    # Each figure has the point that the tables are made with.
    assert budget.clusters in budget.cluster_grid
    assert budget.keywords in budget.keyword_grid
    assert "base" in budget.sizes
    assert SIZES.keys() >= set(budget.sizes)
    assert {0.0, 1.0} <= set(budget.shares)
    assert list(budget.beams) == sorted(set(budget.beams))
    assert budget.beam_width in budget.beams


def test_budgets_differ_in_what_they_spend() -> None:
    moment, short, full = (BUDGETS[name] for name in ("moment", "short", "full"))
    for less, more in ((moment, short), (short, full)):
        assert less.pictures < more.pictures
        assert less.limit is not None
        assert more.limit is not None
        assert less.limit < more.limit
        assert less.runs <= more.runs
        assert len(less.sizes) <= len(more.sizes)
    assert full.train == TINY


def test_the_small_base_has_one_size_and_is_trained_its_own_way() -> None:
    for name in BUDGETS:
        tiny, small = (choose_budget(name, base, ["test"]) for base in ("tiny", "small"))
        assert tiny == BUDGETS[name]
        assert small.sizes == ("base",)
        assert (small.one_base, tiny.one_base) == (True, False)
        assert small.train != tiny.train
    assert choose_budget("full", "small", ["test"]).train == SMALL
    assert choose_budget("short", "small", ["test"]).train.gsv_queries == 0


@pytest.mark.parametrize("base", ["tiny", "small"])
def test_seeds_can_be_told(base: str) -> None:
    usual = choose_budget("short", base, ["test"])
    assert choose_budget("short", base, ["test"], 5) == replace(usual, runs=5)


def test_splits_that_are_searched_are_named_once() -> None:
    assert choose_budget("short", "tiny", ["test", "val", "test"]).gallery == ("test", "val")
    assert choose_budget("short", "small", ["val", "test"]).gallery == ("val", "test")


@pytest.mark.parametrize(
    ("name", "base", "gallery", "said"),
    [
        ("huge", "tiny", ["test"], "'huge' is no budget; there are moment, short, full"),
        ("short", "large", ["test"], "'large' is no base for reproductions; there are tiny and"),
        ("short", "tiny", ["val"], "is the split test, or test and val"),
        ("short", "tiny", ["test", "train"], "is the split test, or test and val"),
        ("short", "small", [], "is the split test, or test and val"),
    ],
)
def test_says_what_there_is(name: str, base: str, gallery: list[str], said: str) -> None:
    with pytest.raises(SemcoreError, match=said):
        choose_budget(name, base, gallery)
