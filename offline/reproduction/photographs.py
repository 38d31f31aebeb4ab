"""The report on a corpus of photographs: what is found, beside what, and what it cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from offline.corpus.corpus import Corpus
from offline.corpus.picture import SPLITS, held_out_rule
from offline.evaluation.metrics import CUTOFFS
from offline.reproduction.budgets import Budget
from offline.reproduction.calibration import CALIBRATED
from offline.reproduction.expenses import Expense, Expenses
from offline.reproduction.experiments import SEMCORE, Recipe
from offline.reproduction.results import (
    asked_in,
    paired_gap,
    recall_of,
    recall_rows,
    settings_section,
)
from offline.reproduction.runner import Outcome
from semcore.bundle.calibration import read_calibration
from semcore.errors import CorpusError, SemcoreError
from semcore.kind import DIRECTIONS

_NOTHING = "–"
_WEIGHTS = ("likelihood", "commonness", "cosine", "prior", "evidence", "description")


def check_photographs(corpus: Corpus, budget: Budget) -> None:
    """Before anything is trained.

    Raises:
        CorpusError: a split has no picture.
        SemcoreError: validation items cannot be found, so that no weights can be fitted.
    """
    if "val" not in budget.gallery:
        raise SemcoreError("weights are fitted on the split 'val'; search it too: --gallery val")
    there = {picture.split for picture in corpus.pictures}
    if missing := [split for split in SPLITS if split not in there]:
        raise CorpusError(
            f"{corpus.name} has no picture in the split {missing[0]!r}; photographs are trained on "
            "'train', weighed on 'val' and asked of 'test'; give some pictures that split"
        )


def write_photographs(
    outcomes: Sequence[Outcome],
    recipe: Recipe,
    corpus: Corpus,
    budget: Budget,
    folder: Path,
) -> Path:
    """Write into the folder of a reproduction ``photographs.json``, the recalls as
    :func:`offline.reproduction.results.recall_rows` has them, and the report ``photographs.md``.

    Args:
        outcomes: of the lines of ``recipe``, the first of which the others are compared with.

    Returns:
        The path of the report.
    """
    rows = json.dumps(recall_rows(outcomes), indent=1, ensure_ascii=False)
    (folder / "photographs.json").write_text(rows + "\n")
    seeds = max((len(runs) for one in outcomes for runs in one.answers.values()), default=0)
    programs = sorted({one.cost.program for one in outcomes})
    expenses = Expenses(folder)
    lines = [
        f"# {recipe.title}: corpus {corpus.name!r}, budget {budget.name!r}",
        "",
        *_rule(corpus, budget, outcomes, seeds),
        *_recalls(outcomes),
        *_gaps(outcomes),
        *_weights(folder, seeds),
        *_costs(expenses.steps),
        *settings_section(budget, programs, expenses.seconds),
    ]
    out = folder / "photographs.md"
    out.write_text("\n".join(lines) + "\n")
    return out


def _rule(corpus: Corpus, budget: Budget, outcomes: Sequence[Outcome], seeds: int) -> list[str]:
    splits: Counter[str] = Counter()
    texts: Counter[str] = Counter()
    for picture in corpus.pictures:
        splits[picture.split] += 1
        texts[picture.split] += len(picture.captions)
    told = ", ".join(f"{splits[split]} {split}" for split in SPLITS)
    searched = " and ".join(budget.gallery)
    pictures, captions = (
        sum(count[split] for split in budget.gallery) for count in (splits, texts)
    )
    asked = ", ".join(
        f"{len(outcomes[0].answers[direction][0])} {direction}"
        for direction in DIRECTIONS
        if outcomes[0].answers[direction]
    )
    return [
        f"{len(corpus.pictures)} pictures ({told}). {held_out_rule(corpus.source_captions)}",
        f"Searched are the {pictures} pictures and {captions} texts of {searched}, none of which "
        f"was trained on. Queries are of test: {asked}. Weights are fitted on val. Seeds: {seeds}; "
        "a query counts with their mean, and what chance a training has is in no interval.",
        "",
    ]


def _recalls(outcomes: Sequence[Outcome]) -> list[str]:
    head = [f"R@{k}" for k in CUTOFFS]
    lines = [
        "## Recall",
        "",
        "Per cent; R@1 with the 95 % bootstrap interval over the pictures that the queries belong "
        "to. A dash stands where a system has no words to search by, or what it would find is "
        "another line.",
        "",
        f"| | {' | | | '.join(DIRECTIONS)} | | |",
        "|---" * (1 + len(head) * len(DIRECTIONS)) + "|",
        f"| | {' | '.join(head * len(DIRECTIONS))} |",
    ]
    for one in outcomes:
        cells = [one.line.title]
        for direction in DIRECTIONS:
            if one in asked_in(outcomes, direction):
                first, *others = (recall_of(one, direction)[name] for name in head)
                cells += [str(first), *(f"{other.value:.1f}" for other in others)]
            else:
                cells += [_NOTHING] * len(head)
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _gaps(outcomes: Sequence[Outcome]) -> list[str]:
    ours, *others = outcomes
    lines = [
        f"## By how much it is ahead: {ours.line.title}",
        "",
        "Points above another line, on the same queries, with the interval paired over their "
        "pictures. The last column has the R@1 of each seed by itself.",
        "",
        f"| direction | beside | {' | '.join(f'R@{k}' for k in CUTOFFS)} | seeds |",
        "|---" * (3 + len(CUTOFFS)) + "|",
    ]
    for direction in DIRECTIONS:
        for other in asked_in(others, direction):
            gaps = [paired_gap(ours, other, direction, k) for k in CUTOFFS]
            told = [str(gap) for gap, _ in gaps]
            each = ", ".join(f"{one:.1f}" for one in gaps[0][1])
            lines.append(f"| {' | '.join([direction, other.line.title, *told, each])} |")
    return [*lines, ""]


def _weights(folder: Path, seeds: int) -> list[str]:
    lines = [
        "## Weights beside the guide, by validation",
        "",
        "Of the score: log-probability, commonness, cosine. Of verification: that score, log-odds, "
        "description. Where all but the cosine's and the score's are 0 the guide's order stands, "
        "and the model is not asked.",
        "",
        f"| seed | direction | {' | '.join(_WEIGHTS)} |",
        "|---" * (2 + len(_WEIGHTS)) + "|",
    ]
    for seed in range(seeds):
        found = read_calibration(folder / str(seed) / SEMCORE.name / CALIBRATED)
        for direction in DIRECTIONS:
            weights = found.of(direction, guided=True)
            cells = [f"{getattr(weights, name):.3g}" for name in _WEIGHTS]
            lines.append(f"| {' | '.join([str(seed), direction, *cells])} |")
    return [*lines, ""]


def _costs(steps: Mapping[str, Expense]) -> list[str]:
    """A line a step, and their sum."""
    lines = [
        "## Cost",
        "",
        "Minutes of each step over all runs that it took, and how often it was begun. A step is "
        "named by the folder that it works in.",
        "",
        "| step | minutes | processor minutes | begun |",
        "|---|---|---|---|",
    ]
    total = Expense(
        sum(one.seconds for one in steps.values()), sum(one.cpu_seconds for one in steps.values())
    )
    for name, one in {**steps, "all": total}.items():
        begun = str(one.starts or "")
        cells = [name, f"{one.seconds / 60:.1f}", f"{one.cpu_seconds / 60:.1f}", begun]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]
