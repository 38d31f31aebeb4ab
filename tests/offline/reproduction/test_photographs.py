"""The report on photographs: what was found, beside what, by which weights, for how much."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import bundle_of

from offline.corpus.corpus import Corpus
from offline.corpus.picture import Picture
from offline.evaluation.query_runner import Answered
from offline.reproduction.budgets import choose_budget
from offline.reproduction.expenses import Expenses
from offline.reproduction.experiments import PHOTOGRAPHS, Line, choose
from offline.reproduction.photographs import check_photographs, write_photographs
from offline.reproduction.runner import Cost, Outcome
from semcore.bundle.calibration import Calibration, Calibrations, write_calibration
from semcore.bundle.item import Item
from semcore.errors import CorpusError, SemcoreError
from semcore.kind import DIRECTIONS

BUDGET = choose_budget("short", "small", ["test", "val"])
(RECIPE,) = choose(PHOTOGRAPHS, BUDGET, towers=False)
OURS, GUIDE, *_ = (line.title for line in RECIPE.lines)
WORDS = "BM25 over captions"
QUERIES = 20


def photos(*splits: str) -> Corpus:
    captions = tuple(f"caption {number}" for number in range(5))
    pictures = [
        Picture(str(number), f"{number}.png", split, captions, source_captions=1)
        for number, split in enumerate(splits)
    ]
    return Corpus("photos", "/pictures", pictures, [], source_captions=1)


def outcome(line: Line, found: Callable[[str, int, int], bool]) -> Outcome:
    """Of two seeds.

    Args:
        found: whether, in a direction and by a seed, a query is answered first.
    """

    def run(direction: str, seed: int) -> list[Answered]:
        ranks = [1 if found(direction, seed, number) else None for number in range(QUERIES)]
        return [
            Answered(f"q{number}", rank, rank, 1.0, False, 0.0, pair=str(number // 2))
            for number, rank in enumerate(ranks)
        ]

    is_silent = line.title == WORDS
    answers = {
        direction: [[], []]
        if is_silent and direction == "image-to-text"
        else [run(direction, seed) for seed in (0, 1)]
        for direction in DIRECTIONS
    }
    return Outcome(line, answers, Cost(10**6, 100, 60, "commit 0"))


def found_by(line: Line) -> Callable[[str, int, int], bool]:
    if line.title == OURS:
        return lambda *_: True
    if line.title == GUIDE:  # one seed is worse than the other
        return lambda _, seed, number: bool(number % 2) or not seed
    return lambda *_: False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    item = Item("a", "image", "test", "a", False, "a boat", "a.png", "<g0> boat")
    for seed in (0, 1):
        place = tmp_path / str(seed) / "semcore" / "calibrated"
        bundle_of([item], place)
        weights = Calibration(prior=1.0, cosine=40.0 + seed, likelihood=0.0, description=0.25)
        write_calibration(place, Calibrations(guided=dict.fromkeys(DIRECTIONS, weights)))
    for _ in range(2):
        with Expenses(tmp_path).step("0/semcore/model: training"):
            pass
    return tmp_path


def table(text: str, heading: str) -> dict[str, list[str]]:
    """The cells of a section's lines by the first of them."""
    section = text.split(f"## {heading}")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    return {row[0]: row[1:] for row in rows}


def test_says_what_was_found_beside_what_and_for_how_much(folder: Path) -> None:
    corpus = photos("train", "train", "val", "test")
    outcomes = [outcome(line, found_by(line)) for line in RECIPE.lines]
    path = write_photographs(outcomes, RECIPE, corpus, BUDGET, folder)
    text = path.read_text()
    assert path == folder / "photographs.md"
    assert "4 pictures (2 train, 1 val, 1 test)" in text
    assert "the 2 pictures and 10 texts of test and val" in text
    assert "20 text-to-image, 20 image-to-text" in text
    recalls = table(text, "Recall")
    assert recalls[OURS] == ["100.0 [69.2, 100.0]", "100.0", "100.0"] * 2
    assert recalls[GUIDE][0].startswith("75.0 ")
    assert recalls[WORDS][3:] == ["–"] * 3
    assert recalls[WORDS][:3] == ["0.0 [0.0, 30.8]", "0.0", "0.0"]
    assert set(recalls) >= {line.title for line in RECIPE.lines}
    gaps = [line.split(" | ") for line in text.split("By how much")[1].split("## ")[0].splitlines()]
    beside = {(row[0].strip("| "), row[1]): row[2:] for row in gaps if len(row) > 5}
    assert beside["text-to-image", GUIDE][0].startswith("25.0 [")
    assert beside["text-to-image", GUIDE][-1] == "0.0, 50.0 |"
    assert ("image-to-text", WORDS) not in beside
    assert OURS not in {title for _, title in beside}
    weights = text.split("## Weights")[1].split("## ")[0]
    assert "| 0 | text-to-image | 0 | 0 | 40 | 1 | 1 | 0.25 |" in weights
    assert "| 1 | image-to-text | 0 | 0 | 41 | 1 | 1 | 0.25 |" in weights
    costs = table(text, "Cost")
    assert costs["0/semcore/model: training"][2].startswith("2")
    assert set(costs) == {"step", "0/semcore/model: training", "all"}


def test_gives_the_recalls_as_data(folder: Path) -> None:
    corpus = photos("train", "val", "test")
    outcomes = [outcome(line, found_by(line)) for line in RECIPE.lines]
    write_photographs(outcomes, RECIPE, corpus, BUDGET, folder)
    rows = json.loads((folder / "photographs.json").read_text())
    titles = [line.title for line in RECIPE.lines]
    assert [(row["direction"], row["system"]) for row in rows] == [
        (direction, title)
        for direction in DIRECTIONS
        for title in titles
        if (direction, title) != ("image-to-text", WORDS)
    ]
    assert rows[0] == {
        "direction": "text-to-image", "system": OURS, "R@1": 100.0, "R@5": 100.0, "R@10": 100.0,
        "low@1": 69.2, "high@1": 100.0, "queries": QUERIES,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (["train", "test"], "photos has no picture in the split 'val'; photographs are trained on"),
        (["val", "test"], "photos has no picture in the split 'train'"),
        (["train", "val"], "photos has no picture in the split 'test'"),
    ],
)
def test_a_corpus_without_a_split_is_refused(splits: Sequence[str], said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        check_photographs(photos(*splits), BUDGET)
    check_photographs(photos("train", "val", "test"), BUDGET)


def test_weights_need_validation_items_that_can_be_found() -> None:
    with pytest.raises(SemcoreError, match="search it too: --gallery val"):
        check_photographs(photos("train", "val", "test"), replace(BUDGET, gallery=("test",)))
