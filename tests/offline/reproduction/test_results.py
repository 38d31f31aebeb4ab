"""The report has every table and figure, and judges the paper's order by what was answered."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from offline.corpus.corpus import Corpus
from offline.evaluation.query_runner import Answered
from offline.reproduction.budgets import choose_budget
from offline.reproduction.experiments import Line, Recipe, recipes
from offline.reproduction.results import write_results
from offline.reproduction.runner import Cost, Outcome
from semcore.kind import DIRECTIONS

BUDGET = choose_budget("full", "tiny", ["test", "val"])
RECIPES = [*recipes(BUDGET).values()]


def outcome(line: Line, rank: int | None) -> Outcome:
    """One of two seeds, in which every right item has this rank."""
    run = [
        Answered(f"q{number}", rank, rank, 1.0, False, 0.0, pair=str(number))
        for number in range(20)
    ]
    return Outcome(
        line, {direction: [run, run] for direction in DIRECTIONS}, Cost(10**6, 100, 60, "commit 0")
    )


def report(corpus: Corpus, folder: Path, ahead: Sequence[str], chosen: Sequence[Recipe]) -> str:
    """``ahead``: titles of the lines that found all right items."""
    outcomes = {
        recipe.name: [outcome(line, 1 if line.title in ahead else None) for line in recipe.lines]
        for recipe in chosen
    }
    return write_results(outcomes, chosen, corpus, BUDGET, 60.0, folder).read_text()


def only(recipe: Recipe, *titles: str) -> Recipe:
    lines = [line for line in recipe.lines if line.title in titles]
    assert len(lines) == len(titles)
    return replace(recipe, lines=lines, claims=[])


def test_has_every_line_of_every_table(corpus: Corpus, tmp_path: Path) -> None:
    found = report(corpus, tmp_path, ["SemCORE"], RECIPES).split("\n## ")
    sections = {section.partition("\n")[0]: section for section in found}
    for recipe in RECIPES:
        for line in recipe.lines:
            assert f"| {line.title} |" in sections[recipe.title]
        for direction in DIRECTIONS:
            name = f"{recipe.name}-{direction}.png"
            assert f"]({name})" in sections[recipe.title]
            assert (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["table1", "table5", "figure3"])
def test_draws_what_was_found(corpus: Corpus, tmp_path: Path, name: str) -> None:
    """Bars, a curve, and a grid."""
    (recipe,) = (recipe for recipe in RECIPES if recipe.name == name)
    folders = [tmp_path / "nothing", tmp_path / "one"]
    for folder, ahead in zip(folders, ([], [recipe.lines[0].title]), strict=True):
        folder.mkdir()
        report(corpus, folder, ahead, [recipe])
    for direction in DIRECTIONS:
        first, second = (
            Image.open(folder / f"{name}-{direction}.png").convert("RGB") for folder in folders
        )
        assert first.size == second.size
        assert ImageChops.difference(first, second).getbbox() is not None


def test_judges_the_order_by_the_answers(corpus: Corpus, tmp_path: Path) -> None:
    rivals = RECIPES[:1]
    text = report(corpus, tmp_path, ["SemCORE", "GRACE semantic"], rivals)
    said = "text-to-image: SemCORE before"
    assert f"{said} GRACE numeric: as claimed, by 100.0 [66.3, 100.0] points (100.0, 100.0)" in text
    assert f"{said} GRACE semantic: open, by 0.0 [-16.8, 16.8] points" in text
    behind = report(corpus, tmp_path, ["two towers (FNE)"], rivals)
    assert f"{said} two towers (FNE): the other way, by -100.0 [-100.0, -66.3] points" in behind


def test_an_order_that_the_seeds_do_not_agree_on_is_open(corpus: Corpus, tmp_path: Path) -> None:
    (recipe,) = (recipe for recipe in RECIPES if recipe.name == "table3")
    ahead, behind = recipe.claims[0]
    lines = [line for line in recipe.lines if line.title in (ahead, behind)]
    recipe = replace(recipe, lines=lines, claims=[(ahead, behind)])
    found = [outcome(lines[0], 1), outcome(lines[1], None)]
    for runs in found[1].answers.values():
        runs[1] = [replace(one, verified=1, beam=1) for one in runs[1]]
    text = write_results({"table3": found}, [recipe], corpus, BUDGET, 60.0, tmp_path).read_text()
    assert "as claimed" not in text
    assert "open, by 50.0 [24.7, 58.4] points (100.0, 0.0)" in text


def test_a_direction_without_answers_has_dashes_and_no_bar(corpus: Corpus, tmp_path: Path) -> None:
    silent = "BM25 over captions"
    rivals = only(RECIPES[0], "SemCORE", "GRACE numeric", silent)
    sizes = []
    for name, asked in (("all", DIRECTIONS), ("some", DIRECTIONS[:1])):
        found = [outcome(line, 1) for line in rivals.lines]
        for one in found:
            if one.line.title == silent:
                one.answers.update({d: [[], []] for d in DIRECTIONS if d not in asked})
        (tmp_path / name).mkdir()
        path = write_results({"table1": found}, [rivals], corpus, BUDGET, 60.0, tmp_path / name)
        with Image.open(path.with_name(f"table1-{DIRECTIONS[1]}.png")) as chart:
            sizes.append(chart.size)
    text = path.read_text()
    assert f"| {DIRECTIONS[1]} | {silent} | – | – | – | – | – | – | – | – | – |" in text
    # It trains nothing, hence has no costs where it answers.
    assert f"| {DIRECTIONS[0]} | {silent} | 100.0 [83.2, 100.0] |" in text
    assert "| 0.0 | 2 | – | – | – |" in text
    assert f"| {DIRECTIONS[1]} | SemCORE | 100.0 [83.2, 100.0] |" in text
    (_, whole), (_, less) = sizes
    assert less < whole
    rows = json.loads((tmp_path / "some" / "rows.json").read_text())
    assert [row["direction"] for row in rows if row["system"] == silent] == [DIRECTIONS[0]]


def test_gives_table_1_as_data(corpus: Corpus, tmp_path: Path) -> None:
    rivals = only(RECIPES[0], "SemCORE", "GRACE numeric", "DSI")
    report(corpus, tmp_path, [], [only(RECIPES[1], "SemCORE")])
    assert not (tmp_path / "rows.json").exists()
    report(corpus, tmp_path, ["GRACE numeric"], [rivals])
    rows = json.loads((tmp_path / "rows.json").read_text())
    titles = [line.title for line in rivals.lines]
    assert [(row["direction"], row["system"]) for row in rows] == [
        (direction, title) for direction in DIRECTIONS for title in titles
    ]
    found, missed = (
        next(row for row in rows if row["system"] == title) for title in ("GRACE numeric", "DSI")
    )
    assert found == {
        "direction": "text-to-image", "system": "GRACE numeric", "R@1": 100.0, "R@5": 100.0,
        "R@10": 100.0, "low@1": 83.2, "high@1": 100.0, "queries": 20,
    }  # fmt: skip
    assert (missed["R@10"], missed["low@1"], missed["high@1"]) == (0.0, 0.0, 16.8)
