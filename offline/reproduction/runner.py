"""The systems of a reproduction: trained, indexed, and asked, each once for each seed.

::

    made-of.json                   the corpus and the budget that everything else is made of
    expenses.json                  what each step has cost until now
    demo/, warm-up/                the demo corpus, unless another one is given
    features/                      what the frozen encoder sees, of models that see by one
    SEED/base-SIZE/                what all systems of a size start from
    SEED/SYSTEM/made-of.json       the system as its recipe had it
    SEED/SYSTEM/bundle, model      the trained system
    SEED/SYSTEM/system.json        parameters, samples, seconds, program
    SEED/SYSTEM/calibrated         its bundle with weights fitted on validation queries
    SEED/SYSTEM/answers.jsonl      what it answered

What is there is not made again, so that a run that was stopped goes on.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import safe_open

from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from offline.evaluation.evaluation import ANSWERS_LOG
from offline.evaluation.query_runner import PATIENCE, Answered, Guide, Questions, ask
from offline.evaluation.score_weights import fused
from offline.provenance import claim, is_used
from offline.reproduction.answers import read_answers
from offline.reproduction.baselines import make_re_ranker, make_towers
from offline.reproduction.budgets import Budget
from offline.reproduction.calibration import CALIBRATED, calibrated_bundle
from offline.reproduction.expenses import Expenses
from offline.reproduction.experiments import SEMCORE, TWO_TOWERS, Line, Recipe, System, View
from offline.reproduction.retrievers import ask_retriever
from offline.training.presets import TrainSettings
from offline.training.run_directory import samples_seen
from offline.training.stages import prepare_model, train_model
from offline.version import commit
from semcore.bundle.calibration import Calibration
from semcore.client import AsyncSemcoreClient, ServiceError
from semcore.errors import CorpusError, SemcoreError
from semcore.flush import write_whole
from semcore.identifiers.encoder import Encoder
from semcore.kind import DIRECTIONS, Direction

Serving = Callable[[Path], AbstractContextManager[str]]
"""Serves a bundle and gives its address; the service is the caller's to start."""
_SYSTEM, _MADE_OF = "system.json", "made-of.json"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a system took: parameters, samples of all stages, and seconds of training since it was
    last begun; of a re-ranker its own, without the towers', of a retriever nothing. And by which
    program."""

    parameters: int
    samples: int
    seconds: float
    program: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Answers of a line, one list a seed, for each direction."""

    line: Line
    answers: dict[Direction, list[list[Answered]]]
    cost: Cost


class Reproduction:
    """Runs recipes in one folder."""

    def __init__(
        self,
        corpus: Corpus,
        warm_up: Corpus | None,
        folder: Path,
        budget: Budget,
        serving: Serving,
        report: Callable[[str], None] = print,
    ) -> None:
        self._corpus = corpus
        self._warm_up = warm_up
        self._folder = folder
        self._budget = budget
        self._serving = serving
        self._report = report
        self._encoder = Encoder(remember=True)
        self._features = folder / "features"
        self._expenses = Expenses(folder)

    def run(self, recipes: Sequence[Recipe]) -> dict[str, list[Outcome]]:
        """The outcomes of each recipe by its name; every system is trained once a seed.

        Raises :class:`semcore.errors.SemcoreError` if the folder holds what was made of another
        corpus or with another budget, and with what a system could not be made of.
        """
        self._claim()
        self._check_queries()
        views: dict[str, tuple[System, list[View]]] = {}
        for line in (line for recipe in recipes for line in recipe.lines):
            _, mine = views.setdefault(line.system.name, (line.system, []))
            if line.view not in mine:
                mine.append(line.view)
        repeated = {line.system.name for one in recipes if one.repeated for line in one.lines}
        answers: dict[tuple[str, View], dict[Direction, list[list[Answered]]]] = {}
        costs: dict[str, Cost] = {}
        for name, (system, mine) in views.items():
            for seed in range(self._budget.runs if name in repeated else 1):
                self._made(SEMCORE, seed)  # others take its samples as their measure
                self._report(f"{name}, seed {seed}")
                for view, found in self._answers(system, mine, seed).items():
                    kept = answers.setdefault((name, view), {d: [] for d in DIRECTIONS})
                    for direction, answered in found.items():
                        kept[direction].append(answered)
            costs[name] = self._cost(name)
        return {
            recipe.name: [
                Outcome(line, found, costs[line.system.name])
                for line, found in zip(recipe.lines, _as_many_seeds(recipe, answers), strict=True)
            ]
            for recipe in recipes
        }

    def _claim(self) -> None:
        """What lies in the folder is used again, and must be of the same origin."""
        corpus = self._corpus
        origin = {
            "corpus": corpus.fingerprint, "source_captions": corpus.source_captions,
            "budget": asdict(self._budget),
        }  # fmt: skip
        other = SemcoreError(
            f"{self._folder} holds systems of another corpus or budget; name another folder"
        )
        in_use = any(self._folder.glob(f"*/*/{_SYSTEM}"))
        claim(self._folder / _MADE_OF, origin, in_use=in_use, other=other)

    def _check_queries(self) -> None:
        """Before anything is trained."""
        for split in self._budget.gallery:
            pictures = [one for one in self._corpus.pictures if one.split == split]
            if not any(set(picture.captions) - set(picture.sources) for picture in pictures):
                raise CorpusError(
                    f"the split {split!r} has no caption that no picture's identifier is made of, "
                    "hence no query; give its pictures another caption"
                )

    def _answers(
        self, system: System, views: Sequence[View], seed: int
    ) -> dict[View, dict[Direction, list[Answered]]]:
        folder = self._made(system, seed)
        if system.family != "generative":
            return dict.fromkeys(views, read_answers(folder))
        return self._ask(folder, views)

    def _made(self, system: System, seed: int) -> Path:
        folder = self._folder / str(seed) / system.name
        other = SemcoreError(
            f"{folder} holds the system as another version of its recipe had it; delete it"
        )
        in_use = is_used(folder)
        claim(folder / _MADE_OF, asdict(system), in_use=in_use, other=other)
        if not (folder / _SYSTEM).exists():
            self._make(system, seed, folder)
        return folder

    def _make(self, system: System, seed: int, folder: Path) -> None:
        """Index and train a system, and say what it took."""
        if system.family == "retriever":
            whole = self._made(SEMCORE, seed)
            bundle, model, limit = whole / "bundle", whole / "model", self._budget.limit
            with self._step(folder, "searching"):
                ask_retriever(system.name, bundle, model, folder, limit, self._features)
            self._record(folder, Cost(0, 0, 0.0, commit()))
            return
        # A re-ranker searches what its towers search.
        towers = self._made(TWO_TOWERS, seed) if system.family == "re-ranker" else None
        bundle, model = (towers or folder) / "bundle", folder / "model"
        if towers is None:
            own: dict[str, Any] = {
                "clusters": self._budget.clusters, "keywords": self._budget.keywords,
                **system.build,
            }  # fmt: skip
            settings = BuildSettings(
                scheme=system.scheme, seed=seed, gallery=self._budget.gallery, **own
            )
            self._build(bundle, settings)
        base, limit = self._base(system.size, seed), self._budget.limit
        training = self._settings(system, seed)
        samples = training.samples
        saw = self._features
        if system.family == "two towers":
            with self._step(folder, "training and searching"):
                seconds = make_towers(bundle, base, folder, training, self._encoder, limit, saw)
        elif towers is not None:
            with self._step(folder, "training and searching"):
                seconds = make_re_ranker(bundle, base, towers, folder, training, limit, saw)
        else:
            began = time.perf_counter()
            with self._step(model, "training"):
                train_model(bundle, str(base), model, training, None, lambda _: None, saw)
            seconds = time.perf_counter() - began
            with self._step(bundle, "binding"):
                bind_bundle(bundle, model)
            samples = samples_seen(model)
        self._record(folder, Cost(_parameters(model), samples, seconds, commit()))

    def _record(self, folder: Path, cost: Cost) -> None:
        write_whole(folder / _SYSTEM, json.dumps(asdict(cost)))

    def _base(self, size: str, seed: int) -> Path:
        """A model acquainted with pictures, for all systems of a size and seed."""
        seed = 0 if self._budget.one_base else seed
        folder = self._folder / str(seed) / f"base-{size}"
        if not folder.exists():
            bundle = folder.with_name(f"base-{size}-bundle")
            settings = BuildSettings(self._budget.clusters, self._budget.keywords, seed=seed)
            self._build(bundle, settings)
            own = replace(self._budget.train, seed=seed)
            base = self._budget.base if size == "base" else f"{self._budget.base}-{size}"
            with self._step(folder, "learning to see"):
                warm_up, saw = self._warm_up, self._features
                prepare_model(bundle, base, folder, own, warm_up, lambda _: None, saw)
            shutil.rmtree(bundle)
        return folder

    def _build(self, bundle: Path, settings: BuildSettings) -> None:
        if not bundle.exists():  # a training that was stopped goes on with it
            with self._step(bundle, "building"):
                build_bundle(self._corpus, bundle, settings, encoder=self._encoder)

    def _settings(self, system: System, seed: int) -> TrainSettings:
        """Those of stages 1 and 2; without the second, the first takes its samples as well."""
        settings = replace(
            self._budget.train,
            seed=seed,
            align_epochs=0.0,
            describe_epochs=0.0,
            check_epochs=0.0,
            **system.train,
        )
        if system.verified and system.family == "generative":
            return settings
        reference = self._folder / str(seed) / SEMCORE.name / _SYSTEM
        samples = json.loads(reference.read_text())["samples"]
        if system.verified:
            return replace(settings, samples=samples)
        return replace(settings, samples=samples, gsv_queries=0)

    def _ask(
        self, folder: Path, views: Sequence[View]
    ) -> dict[View, dict[Direction, list[Answered]]]:
        bundle, log = folder / "bundle", folder / ANSWERS_LOG
        fitted = [view for view in views if view.weights == "fitted"]
        as_it_is = [view for view in views if view not in fitted]
        first = {view.guide: view for view in reversed(fitted)}  # weights are fitted once a guide
        validation = [
            replace(one, split="val", commonness=True, describe=True)
            for one in self._questions([*first.values()], ())
        ]
        answers = self._asked(bundle, [*validation, *self._questions(as_it_is, views)], log)
        if fitted:
            known: dict[Guide, dict[Direction, list[Answered]]] = {guide: {} for guide in first}
            for one in validation:
                known[one.guide][one.direction] = answers.pop(0)
            with self._step(folder / CALIBRATED, "fitting weights"):
                calibrated = calibrated_bundle(folder, known)
            answers += self._asked(calibrated, self._questions(fitted, views), log)
        of_view: dict[View, dict[Direction, list[Answered]]] = {view: {} for view in views}
        places = [(view, direction) for view in [*as_it_is, *fitted] for direction in DIRECTIONS]
        for (view, direction), answered in zip(places, answers, strict=True):
            if isinstance(view.weights, tuple):
                answered = [fused(one, Calibration(*view.weights)) for one in answered]
            of_view[view][direction] = answered
        return of_view

    def _questions(self, asked: Sequence[View], views: Sequence[View]) -> list[Questions]:
        """Of each view that is asked, one a direction; ``views``: all that there are."""
        return [
            Questions(
                direction,
                limit=self._budget.limit,
                beam_width=view.beam_width or self._budget.beam_width,
                constrained=view.constrained,
                # Answers that were verified tell the beams' ranks as well.
                verified=view.verified or replace(view, verified=True) in views,
                guide=view.guide,
            )
            for view in asked
            for direction in DIRECTIONS
        ]

    def _asked(
        self, bundle: Path, questions: Sequence[Questions], log: Path
    ) -> list[list[Answered]]:
        async def everything(url: str, retries: int = 4) -> list[list[Answered]]:
            async with AsyncSemcoreClient(url, timeout=PATIENCE, retries=retries) as client:
                return [await ask(client, bundle, one, log) for one in questions]

        try:  # what is in the log needs no service
            return asyncio.run(everything("http://127.0.0.1:9", retries=0))
        except ServiceError as error:
            if error.status:
                raise
            with self._step(bundle, "asking"), self._serving(bundle) as url:
                return asyncio.run(everything(url))

    def _step(self, place: Path, what: str) -> AbstractContextManager[None]:
        return self._expenses.step(f"{place.relative_to(self._folder)}: {what}")

    def _cost(self, name: str) -> Cost:
        return Cost(**json.loads((self._folder / "0" / name / _SYSTEM).read_text()))


def _as_many_seeds(
    recipe: Recipe, answers: Mapping[tuple[str, View], dict[Direction, list[list[Answered]]]]
) -> list[dict[Direction, list[list[Answered]]]]:
    """The answers of each line, by no more seeds than all lines have: what one training was lucky
    with is no part of a system."""
    found = [answers[line.system.name, line.view] for line in recipe.lines]
    seeds = min((len(runs) for of_line in found for runs in of_line.values()), default=0)
    return [{d: runs[:seeds] for d, runs in of_line.items()} for of_line in found]


def _parameters(model: Path) -> int:
    """Counted from the checkpoint's header; tied tables count once, as they are stored."""
    total = 0
    for file in model.glob("*.safetensors"):
        with safe_open(os.fspath(file), "pt") as tensors:
            names = tensors.keys()
            total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)
    return total
