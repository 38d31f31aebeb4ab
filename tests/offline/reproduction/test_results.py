"""The report has every table and figure, and judges the paper's order by what was answered."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from offline.corpus.reader import Corpus
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
    behind = report(corpus, tmp_path, ["two towers"], rivals)
    assert f"{said} two towers: the other way, by -100.0 [-100.0, -66.3] points" in behind


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
