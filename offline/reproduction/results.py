"""The report of a reproduction: tables and figures, and whether the paper's order was found."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from offline.corpus.corpus import Corpus
from offline.corpus.picture import held_out_rule
from offline.evaluation import charts
from offline.evaluation.diagnosis import survival
from offline.evaluation.metrics import CUTOFFS, Estimate, recall_difference, recall_table
from offline.reproduction.budgets import Budget
from offline.reproduction.experiments import Recipe
from offline.reproduction.runner import Outcome
from offline.version import package_version
from semcore.kind import DIRECTIONS, Direction

_FIRST = 10
_FOREWORD = """\
All systems have the same backbone (but for the table that varies it), prepared for pictures in the
same way, and see as many samples: prompts, that is, of which one with a picture may have several
identifiers to learn, while the two towers see a pair as two. What re-ranks them is a second model,
whose own cost is given; minutes are those of training since it was last begun. The pictures that
are searched were never trained on by SemCORE and the two towers. Systems with rival identifiers
also learn each item that can be found, by its own content, with its identifier, as their papers
have it: of an identifier that says nothing of its item nothing else can be known. These are some of
the same number of samples. Residual codes find more without, and are told of no item; what that
changes is in the figure of new items. Queries are captions of which no picture's identifier was
made, and the pictures themselves. Per cent with 95 % bootstrap intervals over the pictures that the
queries belong to; of several seeds a query counts with its mean, and what chance a training has is
not in the interval. Retrievers train nothing: they search with the captions, the vectors and the
model of SemCORE itself, and have no costs of their own. A dash stands in a direction that they
cannot be asked in: a picture that asks has no words to search by, and by its look alone it is
compared in one of their lines.
"""
_NOTHING = "–"
_DATA = "rows.json"


def write_results(
    outcomes: Mapping[str, Sequence[Outcome]],
    recipes: Sequence[Recipe],
    corpus: Corpus,
    budget: Budget,
    seconds: float,
    folder: Path,
) -> Path:
    """Write ``results.md`` and its figures into ``folder``, and where table 1 is one of the recipes
    its recalls as data, ``rows.json`` (:func:`recall_rows`).

    Returns:
        The path of ``results.md``.
    """
    lines = [f"# Results on the corpus {corpus.name!r}, budget {budget.name!r}", "", _FOREWORD]
    lines += [held_out_rule(corpus.source_captions), ""]
    for recipe in recipes:
        found = outcomes[recipe.name]
        lines += [f"## {recipe.title}", "", _table(found), ""]
        lines += [f"![{recipe.title}]({name})" for name in _figures(recipe, found, folder)]
        lines += ["", *_claims(recipe, found)]
        if recipe.repeated:
            lines += _losses(found)
    programs = {one.cost.program for found in outcomes.values() for one in found}
    lines += settings_section(budget, sorted(programs), seconds)
    if "table1" in outcomes:
        rows = json.dumps(recall_rows(outcomes["table1"]), indent=1, ensure_ascii=False)
        (folder / _DATA).write_text(rows + "\n")
    out = folder / "results.md"
    out.write_text("\n".join(lines) + "\n")
    return out


def recall_rows(outcomes: Sequence[Outcome]) -> list[dict[str, str | float | int]]:
    """Of each line in each direction that it has answers in: ``direction``, ``system``, ``R@1``,
    ``R@5`` and ``R@10`` in per cent, ``low@1`` and ``high@1``, the interval of the first of these,
    and the number of ``queries``."""
    rows = []
    for direction in DIRECTIONS:
        for one in asked_in(outcomes, direction):
            recall = recall_of(one, direction)
            first = recall["R@1"]
            row: dict[str, str | float | int] = {"direction": direction, "system": one.line.title}
            row |= {f"R@{k}": round(recall[f"R@{k}"].value, 1) for k in CUTOFFS}
            row |= {"low@1": round(first.low, 1), "high@1": round(first.high, 1)}
            row["queries"] = len(one.answers[direction][0])
            rows.append(row)
    return rows


def asked_in(outcomes: Sequence[Outcome], direction: Direction) -> list[Outcome]:
    """Those that have answers in a direction."""
    return [one for one in outcomes if _is_asked(one, direction)]


def recall_of(outcome: Outcome, direction: Direction) -> dict[str, Estimate]:
    """See :func:`offline.evaluation.metrics.recall_table`, over the pictures of the queries."""
    return recall_table(*_ranks(outcome, direction), groups=_pairs(outcome, direction))


def paired_gap(
    ours: Outcome, theirs: Outcome, direction: Direction, k: int = 1
) -> tuple[Estimate, list[float]]:
    """By how much R@``k`` of one is above that of the other, in points, with the interval paired
    over the pictures of the queries, and the same of each seed."""
    pairs = _pairs(ours, direction)
    runs = [_ranks(ours, direction), _ranks(theirs, direction)]
    each = [
        recall_difference([our], [their], k, pairs).value for our, their in zip(*runs, strict=True)
    ]
    return recall_difference(runs[0], runs[1], k, pairs), each


def settings_section(budget: Budget, programs: Sequence[str], seconds: float) -> list[str]:
    """Lines of a report that say by which settings, program and machine it was made."""
    train = ", ".join(f"{name} {value}" for name, value in asdict(budget.train).items())
    sizes = ", ".join(
        f"{name} {value}" for name, value in asdict(budget).items() if name not in ("train", "name")
    )
    packages = ", ".join(
        f"{name} {package_version(name)}" for name in ("torch", "transformers", "vllm")
    )
    return [
        "## Settings",
        "",
        f"- budget: {sizes}",
        f"- training: {train}",
        f"- program: {' and '.join(programs)}, Python {platform.python_version()}, {packages}",
        f"- machine: {os.cpu_count()} cores; {seconds / 60:.0f} minutes in all",
        f"- written: {datetime.now(UTC):%Y-%m-%d}",
    ]


def _is_asked(outcome: Outcome, direction: Direction) -> bool:
    return any(outcome.answers[direction])


def _table(outcomes: Sequence[Outcome]) -> str:
    head = ["direction", "system", "R@1", "R@5", "R@10", "rSum", "illegal", "seeds"]
    head += ["million parameters", "samples", "minutes"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for direction in DIRECTIONS:
        for one in outcomes:
            found = _found(one, direction) if _is_asked(one, direction) else [_NOTHING] * 6
            cells = [direction, one.line.title, *found, *_costs(one)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _found(outcome: Outcome, direction: Direction) -> list[str]:
    """Recalls, illegal identifiers in per cent, and seeds."""
    runs = outcome.answers[direction]
    answers = [each for run in runs for each in run]
    illegal = 100 * sum(each.illegal for each in answers) / len(answers)
    recall = recall_of(outcome, direction)
    return [*(str(value) for value in recall.values()), f"{illegal:.1f}", str(len(runs))]


def _costs(outcome: Outcome) -> list[str]:
    """Million parameters, samples, and minutes."""
    cost = outcome.cost
    if outcome.line.system.family == "retriever":
        return [_NOTHING] * 3
    return [f"{cost.parameters / 1e6:.2f}", str(cost.samples), f"{cost.seconds / 60:.1f}"]


def _ranks(outcome: Outcome, direction: Direction) -> list[list[int | None]]:
    verified = outcome.line.view.verified
    return [
        [one.verified if verified else one.beam for one in run]
        for run in outcome.answers[direction]
    ]


def _pairs(outcome: Outcome, direction: Direction) -> list[str]:
    return [one.pair for one in outcome.answers[direction][0]]


def _figures(recipe: Recipe, outcomes: Sequence[Outcome], folder: Path) -> list[str]:
    """Draw a figure a direction; their names."""
    names = []
    for direction in DIRECTIONS:
        name = f"{recipe.name}-{direction}.png"
        best = [(one, recall_of(one, direction)["R@1"]) for one in asked_in(outcomes, direction)]
        title = f"R@1, {direction}"
        if recipe.shape == "bars":
            bars = [(one.line.title, value) for one, value in best]
            charts.draw_recall(bars, title, folder / name)
        elif recipe.shape == "curves":
            curves: dict[str, list[tuple[float, Estimate]]] = {}
            for one, value in best:
                curves.setdefault(one.line.curve, []).append((one.line.at[0], value))
            charts.draw_curves(curves, recipe.axes[0], f"{title} (%)", folder / name)
        else:
            fields = {(int(o.line.at[0]), int(o.line.at[1])): value.value for o, value in best}
            x, y = recipe.axes
            charts.draw_grid(fields, x, y, f"{title} (%)", folder / name)
        names.append(name)
    return names


def _claims(recipe: Recipe, outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each order that the paper claims: what was found here."""
    lines = []
    for direction in DIRECTIONS:
        of_title = {one.line.title: one for one in asked_in(outcomes, direction)}
        for ahead, behind in recipe.claims:
            if ahead not in of_title or behind not in of_title:
                continue
            gap, each = paired_gap(of_title[ahead], of_title[behind], direction)
            verdict = "open"
            if min(each) > 0 and gap.low > 0:
                verdict = "as claimed"
            elif max(each) < 0 and gap.high < 0:
                verdict = "the other way"
            told = f" ({', '.join(f'{one:.1f}' for one in each)})" if len(each) > 1 else ""
            lines.append(
                f"- {direction}: {ahead} before {behind}: {verdict}, by {gap} points{told}"
            )
    head = (
        "Order in R@1, with the paired interval and the gaps of the single seeds; it is open where "
        "the interval holds zero or the seeds do not agree:"
    )
    return [head, "", *lines, ""] if lines else []


def _losses(outcomes: Sequence[Outcome]) -> list[str]:
    """What bounds a generative system: what its beams hold after each token, and hand on."""
    by_system = {
        one.line.system.name: one
        for one in reversed(outcomes)
        if one.line.system.family == "generative"
        and one.line.view.constrained
        and one.line.view.guide == "none"
    }
    lines = [
        "Per cent of the queries a right item of which the beams can still reach, token by token, "
        f"and of those that have one among the {_FIRST} best beams, before verification:",
        "",
        f"| direction | system | after each token | {_FIRST} best |",
        "|---" * 4 + "|",
    ]
    for direction in DIRECTIONS:
        for one in reversed(by_system.values()):
            answers = [each for run in one.answers[direction] for each in run]
            kept = " ".join(f"{100 * share:.0f}" for share in survival(answers)[1:]) or "100"
            shown = sum(each.beam is not None and each.beam <= _FIRST for each in answers)
            cells = [direction, one.line.title, kept, f"{100 * shown / len(answers):.1f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]
