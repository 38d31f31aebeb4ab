"""Recipes name systems that exist, and share those that are the same."""

from dataclasses import asdict

import pytest

from offline.identifiers.schemes import SCHEMES, SID
from offline.model.tiny import SIZES
from offline.reproduction.budgets import BUDGETS, choose_budget
from offline.reproduction.experiments import SEMCORE, View, choose, recipes
from offline.reproduction.retrievers import RETRIEVERS, VERIFIED
from semcore.errors import SemcoreError


@pytest.mark.parametrize("gallery", [("test",), ("test", "val")])
@pytest.mark.parametrize("base", ["tiny", "small"])
@pytest.mark.parametrize("name", BUDGETS)
def test_systems_are_of_known_schemes_and_sizes(
    name: str, base: str, gallery: tuple[str, ...]
) -> None:
    budget = choose_budget(name, base, gallery)
    found = recipes(budget)
    assert list(found) == [
        "table1",
        "table3",
        "table4",
        "table5",
        "figure3",
        "new-items",
        "beyond",
        "photographs",
    ]
    by_name: dict[str, object] = {}
    for recipe in found.values():
        titles = [line.title for line in recipe.lines]
        assert len(set(titles)) == len(titles)
        assert {title for claim in recipe.claims for title in claim} <= set(titles)
        for line in recipe.lines:
            assert line.system.scheme in SCHEMES
            assert line.system.size in SIZES
            # A name stands for one system only, since its answers are kept under it.
            assert by_name.setdefault(line.system.name, asdict(line.system)) == asdict(line.system)
            assert (recipe.shape == "bars") == (line.at == ())
            described = line.system.name == "hnsw-described" and "val" in gallery
            taught = (budget.train.gsv_queries > 0 and line.system.verified) or described
            fitted = line.view.weights == "fitted"
            assert taught or fitted or not line.view.verified or line.system.family == "re-ranker"
            assert not fitted or "val" in gallery
    assert SEMCORE.name in by_name


def test_chooses_by_name() -> None:
    budget = BUDGETS["short"]
    assert [recipe.name for recipe in choose("table3", budget)] == ["table3"]
    assert len(choose("all", budget)) == 6
    with pytest.raises(SemcoreError, match="no recipe; there are all, table1"):
        choose("table9", budget)


def test_keeps_only_some_systems() -> None:
    (recipe,) = choose("table1", BUDGETS["short"], ["rq"])
    assert {line.system.name for line in recipe.lines} == {"semcore", "rq"}
    assert {behind for _, behind in recipe.claims} == {"RQ codes of captions"}
    with pytest.raises(SemcoreError, match="dual: no system of table1; there are"):
        choose("table1", BUDGETS["short"], ["dual"])


def test_table_1_has_the_paper_s_systems_and_what_a_guide_makes_of_them() -> None:
    (recipe,) = choose("table1", choose_budget("full", "tiny", ["test", "val"]))
    views = {line.title: line.view for line in recipe.lines}
    assert list(views)[:4] == [
        "SemCORE",
        "SemCORE, calibrated on validation queries",
        "SemCORE with its guide, calibrated",
        "the guide alone",
    ]
    guided = {title: view for title, view in views.items() if view.guide != "none"}
    assert guided == {
        "SemCORE with its guide, calibrated": View(weights="fitted", guide="auto", beam_width=50),
        "the guide alone": View(verified=False, guide="only"),
    }
    assert {"two towers (FNE)", "two towers, re-ranked by a second model (LeaPRR)"} <= set(views)
    claimed = {behind for _, behind in recipe.claims}
    paper_s = {
        line.title for line in recipe.lines
        if line.system != SEMCORE and line.system.family != "retriever"
    }  # fmt: skip
    assert claimed == paper_s
    for name in ("table3", "table4", "table5", "figure3", "new-items"):
        (other,) = choose(name, BUDGETS["full"])
        assert {line.view.guide for line in other.lines} == {"none"}


def test_each_rival_of_the_paper_has_a_row_of_its_own() -> None:
    (recipe,) = choose("table1", BUDGETS["full"])
    systems = {line.title: line.system for line in recipe.lines}
    rivals = {title: one.scheme for title, one in systems.items() if one.scheme != SID}
    assert rivals == {
        "GRACE numeric": "numeric",
        "GRACE string": "string",
        "GRACE semantic": "semantic",
        "GRACE structured": "structured",
        "DSI": "dsi",
        "NCI": "nci",
        "RQ codes of captions": "rq",
        "IRGen": "irgen",
        "AVG": "avg",
    }
    known = {scheme: systems[title].train["indexed"] for title, scheme in rivals.items()}
    assert {scheme for scheme, share in known.items() if not share} == {"rq", "irgen", "avg"}


@pytest.mark.parametrize(
    ("budget", "base", "gallery", "lacking"),
    [
        ("full", "tiny", ["test", "val"], {"hnsw-described"}),
        ("full", "small", ["test", "val"], set()),
        ("short", "small", ["test", "val"], {"hnsw-verified"}),
        ("short", "small", ["test"], VERIFIED),
    ],
)
def test_table_1_has_the_retrievers_that_its_model_can_be(
    budget: str, base: str, gallery: list[str], lacking: set[str]
) -> None:
    """It verifies by what it has learned: a second stage, or to describe pictures, whose weight is
    fitted on validation queries."""
    (recipe,) = choose("table1", choose_budget(budget, base, gallery))
    lines = {line.title: line for line in recipe.lines if line.system.family == "retriever"}
    assert {line.system.name for line in lines.values()} == RETRIEVERS.keys() - lacking
    for title, line in lines.items():
        assert RETRIEVERS[line.system.name] == title
        assert line.view.verified == line.system.verified == (line.system.name in VERIFIED)


def test_photographs_are_searched_by_the_product_and_by_what_needs_no_training() -> None:
    budget = choose_budget("short", "small", ["test", "val"])
    (recipe,) = choose("photographs", budget, towers=False)
    assert [line.title for line in recipe.lines] == [
        "SemCORE with its guide, calibrated",
        "the guide alone",
        "caption search (sentence encoder)",
        "BM25 over captions",
        "looks alone (projected pictures)",
        "captions and looks, exact",
        "captions and looks, HNSW",
        "captions and looks, HNSW, verified by descriptions",
        "SemCORE, beams alone",
        "SemCORE, calibrated on validation queries",
    ]
    (whole,) = choose("photographs", budget)
    towers = [line.system.family for line in whole.lines[len(recipe.lines) :]]
    assert towers == ["two towers", "re-ranker"]
    (some,) = choose("photographs", budget, ["bm25"], towers=False)
    assert {line.system.name for line in some.lines} == {"semcore", "bm25"}


def test_a_curve_of_new_items_changes_what_is_known_only() -> None:
    (recipe,) = choose("new-items", BUDGETS["full"])
    for curve in {line.curve for line in recipe.lines}:
        lines = [line for line in recipe.lines if line.curve == curve]
        assert len({(line.system.verified, line.view) for line in lines}) == 1
        known = [line.system.train.get("indexed", 0.0) for line in lines]
        assert [line.at for line in lines] == [(100 * (1 - share),) for share in known]
