"""A reproduction trains, serves and asks; a second one finds all of it there.

This checks the machinery, not the figures.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from moment import MOMENT, SERVICE

from cli.service_process import serving
from offline.corpus.reader import Corpus, Picture
from offline.evaluation.evaluation import ANSWERS_LOG
from offline.evaluation.query_runner import Answered
from offline.provenance import claim
from offline.reproduction.budgets import BUDGETS
from offline.reproduction.experiments import SEMCORE, TWO_TOWERS, Line, Recipe, System, View
from offline.reproduction.results import write_results
from offline.reproduction.runner import Cost, Reproduction
from semcore.bundle.calibration import read_calibration
from semcore.errors import CorpusError, SemcoreError
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


def photos(*captions: str) -> Corpus:
    picture = Picture("a", "a.png", "test", captions)
    return Corpus("photos", Path("/pictures"), [picture], [])


def test_a_corpus_without_queries_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    single = Reproduction(photos("a boat"), None, tmp_path, BUDGET, real_service, print)
    with pytest.raises(CorpusError, match="the split 'test' has no caption that no picture's"):
        single.run([RECIPE])
    assert [path.name for path in tmp_path.iterdir()] == ["made-of.json"]
    # The folder is taken from then on.
    other = Reproduction(photos("a boat", "a ship"), None, tmp_path, BUDGET, real_service, print)
    with pytest.raises(SemcoreError, match="another corpus or budget; name another folder"):
        other.run([RECIPE])


def test_a_folder_that_says_nothing_of_its_systems_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0" / "semcore").mkdir(parents=True)
    (tmp_path / "0" / "semcore" / "system.json").write_text("{}")
    run = Reproduction(photos("a boat", "a ship"), None, tmp_path, BUDGET, real_service, print)
    with pytest.raises(SemcoreError, match="another corpus or budget"):
        run.run([RECIPE])


COST = Cost(parameters=7, samples=8, seconds=9.0, program="commit 0")
RE_RANKED = System("re-ranked", family="re-ranker")


def answered(folder: Path, seed: int, system: System) -> list[Answered]:
    """A system that was trained and asked before, with an answer that tells it from others."""
    made = folder / str(seed) / system.name
    made.mkdir(parents=True)
    claim(made / "made-of.json", asdict(system), in_use=False, other=SemcoreError())
    (made / "system.json").write_text(json.dumps(asdict(COST)))
    found = [Answered(f"{system.name} {seed}", 1, 2, 0.5, True, 0.0)]
    rows = {direction: [asdict(one) for one in found] for direction in DIRECTIONS}
    (made / ANSWERS_LOG).write_text(json.dumps(rows))
    return found


def test_lines_of_a_table_are_compared_over_as_many_seeds(tmp_path: Path) -> None:
    """And what is trained and answered needs no service."""
    said: list[str] = []
    budget = replace(BUDGET, runs=2)
    corpus = photos("a boat", "a ship")

    def run(recipes: Sequence[Recipe]) -> dict[str, list[dict[str, list[list[Answered]]]]]:
        made = Reproduction(corpus, None, tmp_path, budget, no_service, said.append)  # type: ignore[arg-type]
        outcomes = made.run(recipes)
        assert {one.cost for found in outcomes.values() for one in found} <= {COST}
        return {name: [dict(one.answers) for one in found] for name, found in outcomes.items()}

    run([])  # which takes the folder
    towers, re_ranked = (
        [answered(tmp_path, seed, system) for seed in (0, 1)] for system in (TWO_TOWERS, RE_RANKED)
    )
    for seed in (0, 1):
        answered(tmp_path, seed, SEMCORE)
    first = Line("two towers", TWO_TOWERS, View(verified=False))
    second = Line("two towers, re-ranked", RE_RANKED)
    often = Recipe("often", "Often", [first], repeated=True)
    once = Recipe("once", "Once", [first, second])
    found = run([often, once])
    assert found == {
        "often": [dict.fromkeys(DIRECTIONS, towers)],
        "once": [dict.fromkeys(DIRECTIONS, one[:1]) for one in (towers, re_ranked)],
    }
    assert said == ["two-towers, seed 0", "two-towers, seed 1", "re-ranked, seed 0"]
    changed = replace(once, lines=[Line("towers", replace(TWO_TOWERS, train={"samples": 1}))])
    with pytest.raises(SemcoreError, match="another version of its recipe had it; delete it"):
        run([changed])
