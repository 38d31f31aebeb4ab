"""A reproduction trains, serves and asks; a second one finds all of it there.

This checks the machinery, not the figures.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from moment import MOMENT, SERVICE

from cli.service_process import serving
from offline.corpus.reader import Corpus
from offline.reproduction.budgets import BUDGETS
from offline.reproduction.experiments import SEMCORE, TWO_TOWERS, Line, Recipe, System, View
from offline.reproduction.results import write_results
from offline.reproduction.runner import Reproduction
from semcore.bundle.calibration import read_calibration
from semcore.errors import SemcoreError
from semcore.kind import DIRECTIONS

LIMIT = 6


BUDGET = replace(
    BUDGETS["moment"],
    limit=LIMIT,
    train=replace(MOMENT, epochs=0.5, align_epochs=0.5, gsv_queries=4),
)


CODES = System("rq", "rq", train={"indexed": 1.0}, verified=False)


RECIPE = Recipe(
    "some",
    "Some systems",
    [
        Line("SemCORE", SEMCORE),
        Line("calibrated", SEMCORE, View(weights="fitted")),
        Line("without constrained decoding", SEMCORE, View(constrained=False)),
        Line("codes", CODES, View(verified=False)),
        Line("two towers", TWO_TOWERS, View(verified=False)),
        Line("two towers, re-ranked", System("re-ranked", family="re-ranker")),
    ],
    claims=[("SemCORE", "without constrained decoding")],
    repeated=True,
)


@contextmanager
def real_service(bundle: Path) -> Iterator[str]:
    with serving(bundle, environment=SERVICE) as url:
        yield url


def no_service(bundle: Path) -> None:
    raise AssertionError(f"{bundle} was answered and needs no service")


def test_reproduces_and_goes_on(corpus: Corpus, tmp_path: Path) -> None:
    run = Reproduction(corpus, None, tmp_path, BUDGET, real_service, lambda _: None)
    outcomes = run.run([RECIPE])
    for outcome in outcomes["some"]:
        assert outcome.cost.parameters > 1_000_000
        for direction in DIRECTIONS:
            (answers,) = outcome.answers[direction]
            assert len(answers) == LIMIT
    costs = {o.line.title: o.cost for o in outcomes["some"]}
    assert len({cost.samples for cost in costs.values()}) <= 2
    few, many = sorted(cost.samples for cost in costs.values())[:: len(costs) - 1]
    assert many - few <= 2 * BUDGET.train.batch_size  # whole batches
    parameters = [cost.parameters for cost in costs.values()]
    assert max(parameters) < 1.1 * min(parameters)
    report = write_results(outcomes, [RECIPE], corpus, BUDGET, 60.0, tmp_path).read_text()
    for line in RECIPE.lines:
        bounded = line.title in ("SemCORE", "codes")  # each generative system once
        assert report.count(f"| {line.title} |") == len(DIRECTIONS) * (2 if bounded else 1)
    assert report.count("SemCORE before without constrained decoding") == len(DIRECTIONS)
    for direction in DIRECTIONS:
        assert (tmp_path / f"some-{direction}.png").stat().st_size > 0
    assert set(read_calibration(tmp_path / "0" / "semcore" / "calibrated")) == set(DIRECTIONS)
    trained = {path: path.read_text() for path in tmp_path.glob("*/*/system.json")}
    assert len(trained) == 4
    again = Reproduction(corpus, None, tmp_path, BUDGET, no_service, lambda _: None)  # type: ignore[arg-type]
    assert again.run([RECIPE]) == outcomes
    assert {path: path.read_text() for path in trained} == trained
    assert json.loads(next(iter(trained.values())))["samples"] > 0
    (tmp_path / "made-of.json").rename(tmp_path / "lost.json")
    with pytest.raises(SemcoreError, match="another corpus or budget"):
        again.run([RECIPE])
    (tmp_path / "lost.json").rename(tmp_path / "made-of.json")
    changed = replace(RECIPE, lines=[Line("codes", replace(CODES, train={"indexed": 0.5}))])
    with pytest.raises(SemcoreError, match="another version of its recipe"):
        again.run([changed])
    fewer = replace(corpus, pictures=corpus.pictures[1:])
    for other, budget in ((fewer, BUDGET), (corpus, replace(BUDGET, clusters=5))):
        with pytest.raises(SemcoreError, match="another corpus or budget"):
            Reproduction(other, None, tmp_path, budget, real_service).run([RECIPE])
