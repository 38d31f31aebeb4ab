"""A reproduction trains, serves and asks; a second one finds all of it there.

This checks the machinery, not the figures.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from bundles import bundle_of
from moment import MOMENT, SERVICE

from cli.service_process import serving
from offline.corpus.corpus import Corpus
from offline.corpus.picture import Picture
from offline.evaluation.evaluation import ANSWERS_LOG
from offline.evaluation.query_runner import Answered, Questions, Shown
from offline.provenance import claim
from offline.reproduction import runner
from offline.reproduction.budgets import BUDGETS
from offline.reproduction.expenses import Expenses
from offline.reproduction.experiments import SEMCORE, TWO_TOWERS, Line, Recipe, System, View
from offline.reproduction.results import write_results
from offline.reproduction.runner import Cost, Reproduction
from offline.training.presets import TrainSettings
from semcore.bundle.calibration import read_calibration
from semcore.bundle.item import Item
from semcore.errors import CorpusError, SemcoreError
from semcore.kind import DIRECTIONS

LIMIT = 6


BUDGET = replace(
    BUDGETS["moment"],
    limit=LIMIT,
    train=replace(MOMENT, epochs=0.5, align_epochs=0.5, gsv_queries=4),
)


CODES = System("rq", "rq", train={"indexed": 1.0}, verified=False)
LOOKS = System("looks", family="retriever", verified=False)


RECIPE = Recipe(
    "some",
    "Some systems",
    [
        Line("SemCORE", SEMCORE),
        Line("calibrated", SEMCORE, View(weights="fitted")),
        Line("guided", SEMCORE, View(weights="fitted", guide="auto")),
        Line("the guide alone", SEMCORE, View(verified=False, guide="only")),
        Line("without constrained decoding", SEMCORE, View(constrained=False)),
        Line("codes", CODES, View(verified=False)),
        Line("two towers", TWO_TOWERS, View(verified=False)),
        Line("two towers, re-ranked", System("re-ranked", family="re-ranker")),
        Line("looks", LOOKS, View(verified=False)),
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
        for direction in DIRECTIONS:
            (answers,) = outcome.answers[direction]
            assert len(answers) == LIMIT
    costs = {o.line.title: o.cost for o in outcomes["some"]}
    assert costs.pop("looks").parameters == 0
    assert min(cost.parameters for cost in costs.values()) > 1_000_000
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
    calibrations = read_calibration(tmp_path / "0" / "semcore" / "calibrated")
    assert set(calibrations.alone) == set(calibrations.guided) == set(DIRECTIONS)
    trained = {path: path.read_text() for path in tmp_path.glob("*/*/system.json")}
    assert len(trained) == 5
    again = Reproduction(corpus, None, tmp_path, BUDGET, no_service, lambda _: None)  # type: ignore[arg-type]
    assert again.run([RECIPE]) == outcomes
    assert {path: path.read_text() for path in trained} == trained
    assert json.loads(trained[tmp_path / "0" / "semcore" / "system.json"])["samples"] > 0
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
    return Corpus("photos", "/pictures", [picture], [])


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


@pytest.mark.parametrize("one_base", [True, False])
def test_seeds_share_a_base_where_the_budget_says_so(
    one_base: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And differ in all that follows it."""
    trained: list[tuple[int, str]] = []
    prepared: list[int] = []

    def prepare_model(_: Path, __: str, out: Path, settings: TrainSettings, *___: object) -> None:
        prepared.append(settings.seed)
        out.mkdir()

    def train_model(_: Path, base: str, out: Path, settings: TrainSettings, *__: object) -> None:
        trained.append((settings.seed, Path(base).parent.name))
        out.mkdir()

    monkeypatch.setattr(runner, "prepare_model", prepare_model)
    monkeypatch.setattr(runner, "train_model", train_model)
    monkeypatch.setattr(runner, "bind_bundle", lambda *_: None)
    monkeypatch.setattr(runner, "samples_seen", lambda _: 0)
    monkeypatch.setattr(Reproduction, "_ask", lambda _, __, views: {view: {} for view in views})
    budget = replace(BUDGET, runs=2, one_base=one_base)
    Reproduction(photos("a boat", "a ship"), None, tmp_path, budget, no_service).run(  # type: ignore[arg-type]
        [Recipe("often", "Often", [Line("SemCORE", SEMCORE)], repeated=True)]
    )
    assert trained == [(0, "0"), (1, "0" if one_base else "1")]
    assert prepared == ([0] if one_base else [0, 1])


def test_validation_queries_are_asked_once_a_guide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was fitted on them is asked of the bundle that has it."""
    asked: list[tuple[str, Questions]] = []

    async def ask(_: object, bundle: Path, questions: Questions, __: object) -> list[Answered]:
        asked.append((bundle.name, questions))
        cosine = 0.5 if questions.guide != "none" else None
        item = Shown("a", -1.0, 0.0, commonness=-1.0, right=True, cosine=cosine)
        return [Answered(f"{bundle.name} {questions}", 1, 1, 1.0, False, 0.0, items=[item])]

    monkeypatch.setattr("offline.reproduction.runner.ask", ask)
    made = Reproduction(photos("a boat", "a ship"), None, tmp_path, BUDGET, no_service, print)  # type: ignore[arg-type]
    made.run([])
    answered(tmp_path, 0, SEMCORE)
    item = Item("a", "image", "test", "a", False, "a boat", "a.png", "<g0> boat")
    bundle_of([item], tmp_path / "0" / "semcore" / "bundle")
    views = {
        "SemCORE": View(),
        "calibrated": View(weights="fitted"),
        "calibrated, wide": View(weights="fitted", beam_width=7),
        "guided": View(weights="fitted", guide="auto", beam_width=9),
        "the guide alone": View(verified=False, guide="only"),
    }
    lines = [Line(title, SEMCORE, view) for title, view in views.items()]
    (outcomes,) = made.run([Recipe("some", "Some", lines)]).values()
    validation = [(name, one) for name, one in asked if one.split == "val"]
    assert {(name, one.guide, one.beam_width) for name, one in validation} == {
        ("bundle", "none", BUDGET.beam_width),
        ("bundle", "auto", 9),
    }
    assert len(validation) == 2 * len(DIRECTIONS)
    assert all(one.commonness and one.describe for _, one in validation)
    for outcome in outcomes:
        view = outcome.line.view
        for direction in DIRECTIONS:
            ((found,),) = outcome.answers[direction]
            told = Questions(
                direction, limit=LIMIT, beam_width=view.beam_width or BUDGET.beam_width,
                verified=view.verified, guide=view.guide,
            )  # fmt: skip
            bundle = "calibrated" if view.weights == "fitted" else "bundle"
            assert found.query == f"{bundle} {told}"
    calibrations = read_calibration(tmp_path / "0" / "semcore" / "calibrated")
    assert set(calibrations.alone) == set(calibrations.guided) == set(DIRECTIONS)


def test_a_run_that_was_stopped_anywhere_goes_on_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped at each step once; what had been made by then is not made again."""
    made: list[str] = []
    stops = {"base", "model 0", "looks 0", "asked 0", "model 1", "looks 1", "asked 1"}

    def make(name: str) -> None:
        made.append(name)
        if name in stops:
            stops.remove(name)
            raise KeyboardInterrupt

    def prepare_model(_: Path, __: str, out: Path, *___: object) -> None:
        make("base")
        out.mkdir()

    def train_model(_: Path, __: str, out: Path, settings: TrainSettings, *___: object) -> None:
        make(f"model {settings.seed}")
        out.mkdir()

    def ask_retriever(name: str, _: Path, __: Path, folder: Path, *___: object) -> None:
        make(f"{name} {folder.parent.name}")
        rows = {
            direction: [asdict(Answered("q", 1, 1, 1.0, False, 0.0))] for direction in DIRECTIONS
        }
        (folder / ANSWERS_LOG).write_text(json.dumps(rows))

    async def ask(_: object, bundle: Path, __: Questions, ___: object) -> list[Answered]:
        make(f"asked {bundle.parent.parent.name}")
        return [Answered("q", 2, 2, 1.0, False, 0.0)]

    monkeypatch.setattr(runner, "prepare_model", prepare_model)
    monkeypatch.setattr(runner, "train_model", train_model)
    monkeypatch.setattr(runner, "bind_bundle", lambda *_: None)
    monkeypatch.setattr(runner, "samples_seen", lambda _: 0)
    monkeypatch.setattr(runner, "ask_retriever", ask_retriever)
    monkeypatch.setattr(runner, "ask", ask)
    budget = replace(BUDGET, runs=2, one_base=True)
    lines = [Line("SemCORE", SEMCORE), Line("looks", LOOKS, View(verified=False))]
    recipe = Recipe("some", "Some", lines, repeated=True)
    runs = 0
    while True:
        # Nothing of a run that was stopped is left in memory.
        again = Reproduction(photos("a boat", "a ship"), None, tmp_path, budget, no_service, print)  # type: ignore[arg-type]
        runs += 1
        try:
            outcomes = again.run([recipe])["some"]
        except KeyboardInterrupt:
            continue
        break
    assert stops == set()
    assert runs == 8
    once = [name for name in made if not name.startswith("asked")]
    assert {name: once.count(name) for name in once} == dict.fromkeys(once, 2)
    ranks = [[run[0].verified for run in one.answers["text-to-image"]] for one in outcomes]
    assert ranks == [[2, 2], [1, 1]]
    steps = Expenses(tmp_path).steps
    assert steps["0/semcore/model: training"].starts == 2
    assert steps["1/semcore/bundle: building"].starts == 1
    assert steps["0/base-base: learning to see"].starts == 2
    assert steps["1/looks: searching"].starts == 2
