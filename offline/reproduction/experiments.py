"""Recipes: which systems and views of them each table and figure of the paper is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from offline.evaluation.query_runner import Guide
from offline.identifiers.schemes import SCHEMES, SID
from offline.reproduction.budgets import Budget
from offline.reproduction.retrievers import RETRIEVERS, VERIFIED
from semcore.bundle.bundle import Order
from semcore.errors import SemcoreError

Family = Literal["generative", "two towers", "re-ranker", "retriever"]


@dataclass(frozen=True, slots=True)
class System:
    """A model that is trained, with the index that it searches; or a retriever, which trains none
    and searches SemCORE's.

    Attributes:
        name: of a retriever its own (:data:`offline.reproduction.retrievers.RETRIEVERS`).
        scheme: of the identifiers, for a generative system.
        build, train: what differs from the budget's settings.
        size: of the backbone, a key of :data:`offline.model.tiny.SIZES`.
        verified: there is a second stage of training, so that candidates can be verified.
    """

    name: str
    scheme: str = SID
    family: Family = "generative"
    build: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    size: str = "base"
    verified: bool = True


@dataclass(frozen=True, slots=True)
class View:
    """A way to search with a system.

    Attributes:
        beam_width: 0 is the budget's.
        weights: of verification, in place of the service's: of log-probability and log-odds, or
            fitted on validation queries.
        guide: what its cosine is good for; the paper knows of none.
    """

    constrained: bool = True
    verified: bool = True
    beam_width: int = 0
    weights: tuple[float, float] | Literal["fitted"] | None = None
    guide: Guide = "none"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table: a system in a view; ``at`` is its place in a figure, on the curve named
    ``curve``."""

    title: str
    system: System
    view: View = View()
    at: tuple[float, ...] = ()
    curve: str = "SemCORE"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Attributes:
    shape: how its figure is drawn.
    claims: pairs of titles, the first of which the paper has ahead in R@1.
    repeated: its systems are trained with several seeds, where the budget has them.
    """

    name: str
    title: str
    lines: Sequence[Line]
    shape: Literal["bars", "curves", "grid"] = "bars"
    axes: tuple[str, ...] = ()
    claims: Sequence[tuple[str, str]] = ()
    repeated: bool = False


SEMCORE = System("semcore")
TWO_TOWERS = System("two-towers", family="two towers", verified=False)
PHOTOGRAPHS = "photographs"
_BEYOND = "beyond"
# Which find more where no sample is spent on knowing what can be found.
_UNKNOWN = {"rq", "irgen", "avg"}
_BEAMS = View(verified=False)
_RE_RANKED = 150
_MOST_BEAMS = 100  # that the service gives, unless told otherwise
_RIVALS = ("numeric", "string", "semantic", "structured", "dsi", "nci", "rq", "irgen", "avg")
_GUIDED_BEAMS = 50  # as many as the guide has candidates


def recipes(budget: Budget) -> dict[str, Recipe]:
    """All recipes by name."""
    found = [
        _rivals(budget),
        _ablations(budget),
        _backbones(budget),
        _beams(budget),
        _grid(budget),
        _new_items(budget),
        _beyond(budget),
        _photographs(budget),
    ]
    return {recipe.name: recipe for recipe in found}


def choose(
    name: str, budget: Budget, only: Collection[str] = (), *, towers: bool = True
) -> list[Recipe]:
    """The recipe of a name, or ``all`` of the paper's.

    Args:
        only: the systems beside SemCORE itself to make; all if empty.
        towers: two towers and what re-ranks them are among all.

    Raises:
        SemcoreError: there is no such recipe, or no such system in it.
    """
    known = recipes(budget)
    if name != "all" and name not in known:
        raise SemcoreError(f"{name!r} is no recipe; there are all, {', '.join(known)}")
    of_paper = [recipe for recipe in known.values() if recipe.name not in (_BEYOND, PHOTOGRAPHS)]
    chosen = [known[name]] if name != "all" else of_paper
    if not only and towers:
        return chosen
    if not only:
        only = {
            line.system.name
            for recipe in chosen
            for line in recipe.lines
            if line.system.family not in ("two towers", "re-ranker")
        }
    systems = {line.system.name for recipe in chosen for line in recipe.lines}
    if strange := set(only) - systems:
        raise SemcoreError(
            f"{', '.join(sorted(strange))}: no system of {name}; there are "
            f"{', '.join(sorted(systems))}"
        )
    return [_restricted(recipe, {SEMCORE.name, *only}) for recipe in chosen]


def _restricted(recipe: Recipe, systems: Set[str]) -> Recipe:
    lines = [line for line in recipe.lines if line.system.name in systems]
    titles = {line.title for line in lines}
    claims = [claim for claim in recipe.claims if titles.issuperset(claim)]
    return replace(recipe, lines=lines, claims=claims)


def _rival(scheme: str) -> System:
    """Identifiers that say nothing of an item need to know it, and others gain by that.

    The numbers stand for 'without SID' in the ablations as well, hence they learn to verify.
    """
    known = {"indexed": 0.0 if scheme in _UNKNOWN else 1.0}
    return System(scheme, scheme, train=known, verified=scheme == "numeric")


def _whole(budget: Budget) -> View:
    """How a system is searched; what has learned no second stage cannot verify."""
    return View(verified=_answers(budget))


def _answers(budget: Budget) -> bool:
    return budget.train.gsv_queries > 0


def _fitted(budget: Budget, title: str, view: View = View(weights="fitted")) -> list[Line]:
    """The line of fitted weights; there is none where no validation item can be found."""
    return [Line(title, SEMCORE, view)] if "val" in budget.gallery else []


def _guided(budget: Budget) -> list[Line]:
    """SemCORE as the product has it, with a guide."""
    view = View(beam_width=_GUIDED_BEAMS, weights="fitted", guide="auto")
    return [
        *_fitted(budget, "SemCORE with its guide, calibrated", view),
        Line("the guide alone", SEMCORE, View(verified=False, guide="only")),
    ]


def _retrievers(budget: Budget) -> list[Line]:
    """What they find is verified by what the model has learned for it: a second stage, or to
    describe pictures, whose weight needs validation items that can be found."""
    lacking = set()
    if not _answers(budget):
        lacking.add("hnsw-verified")
    if not (budget.train.describe_epochs and "val" in budget.gallery):
        lacking.add("hnsw-described")
    lines = []
    for name, title in RETRIEVERS.items():
        if name not in lacking:
            is_verified = name in VERIFIED
            system = System(name, family="retriever", verified=is_verified)
            lines.append(Line(title, system, View(verified=is_verified)))
    return lines


def _rivals(budget: Budget) -> Recipe:
    own = "SemCORE" if _answers(budget) else "SemCORE, beams alone"
    lines = [Line(SCHEMES[name].title, _rival(name), _BEAMS) for name in _RIVALS]
    lines += _towers(budget)
    calibrated = _fitted(budget, "SemCORE, calibrated on validation queries")
    claims = [(own, line.title) for line in lines]
    title = "Tables 1 and 2: SemCORE and its rivals on the same backbone and data"
    own_lines = [Line(own, SEMCORE, _whole(budget)), *calibrated, *_guided(budget)]
    lines = [*own_lines, *lines, *_retrievers(budget)]
    return Recipe("table1", title, lines, claims=claims, repeated=True)


def _towers(budget: Budget) -> list[Line]:
    # Which is what it is for; the queries are of those samples that all systems have alike.
    own_queries = {} if _answers(budget) else {"gsv_queries": _RE_RANKED}
    re_ranker = System("two-towers-re-ranked", family="re-ranker", train=own_queries)
    return [
        Line("two towers (FNE)", TWO_TOWERS, _BEAMS),
        Line("two towers, re-ranked by a second model (LeaPRR)", re_ranker),
    ]


def _photographs(budget: Budget) -> Recipe:
    """What serves photographs: the product whole, its parts, and what searches without a model."""
    lines = [
        *_guided(budget),
        *_retrievers(budget),
        Line("SemCORE, beams alone", SEMCORE, _BEAMS),
        *_fitted(budget, "SemCORE, calibrated on validation queries"),
        *_towers(budget),
    ]
    title = "Photographs, as the product serves them"
    return Recipe(PHOTOGRAPHS, title, lines, repeated=True)


def _ablations(budget: Budget) -> Recipe:
    name, whole = "SemCORE", _whole(budget)
    without = {
        "without SID (numbers)": _rival("numeric"),
        "without Global ID": System("no-cluster", "sid-without-cluster"),
        "without deduplication": System("no-deduplication", "sid-without-deduplication"),
    }
    lines = [Line(title, system, whole) for title, system in without.items()]
    if _answers(budget):
        suffixes = System("suffixes", "sid-with-suffix", verified=False)
        lines = [
            Line("without GSV", SEMCORE, _BEAMS),
            Line("without GSV, random suffixes", suffixes, _BEAMS),
            *lines,
        ]
    free = Line("without constrained decoding", SEMCORE, replace(whole, constrained=False))
    lines = [Line(name, SEMCORE, whole), *lines, free]
    claims = [(name, line.title) for line in lines[1:]]
    title = "Table 3: what each part is good for"
    return Recipe("table3", title, lines, claims=claims, repeated=True)


def _backbones(budget: Budget) -> Recipe:
    lines = []
    for size in budget.sizes:
        whole = SEMCORE if size == "base" else System(f"size-{size}", size=size)
        adapted = System(f"size-{size}-lora", size=size, train={"lora_rank": 16})
        view = _whole(budget)
        lines += [Line(f"{size}, all weights", whole, view), Line(f"{size}, LoRA", adapted, view)]
    return Recipe("table4", "Table 4: backbones, shrunken, all weights and LoRA", lines)


def _beams(budget: Budget) -> Recipe:
    lines = [
        Line(f"{width} beams", SEMCORE, replace(_whole(budget), beam_width=width), at=(width,))
        for width in budget.beams
    ]
    return Recipe("table5", "Table 5: beam width", lines, "curves", ("beams",))


def _grid(budget: Budget) -> Recipe:
    lines = []
    for clusters in budget.cluster_grid:
        for keywords in budget.keyword_grid:
            same = (clusters, keywords) == (budget.clusters, budget.keywords)
            build = {"clusters": clusters, "keywords": keywords}
            system = SEMCORE if same else System(f"grid-{clusters}-{keywords}", build=build)
            title = f"{clusters} clusters, {keywords} keywords"
            lines.append(Line(title, system, _whole(budget), at=(clusters, keywords)))
    title = "Figure 3: clusters and keywords"
    return Recipe("figure3", title, lines, "grid", ("clusters", "keywords"))


def _new_items(budget: Budget) -> Recipe:
    """Beams alone, since what is asked is whether an item never trained on can be spelled.

    The systems of a curve differ in what they know only, and all spend as much on verification.
    """
    lines = []
    for scheme in (SID, "numeric", "semantic", "rq"):
        known, curve = (SEMCORE if scheme == SID else _rival(scheme)), SCHEMES[scheme].title
        for share in budget.shares:
            system = known
            if share != known.train.get("indexed", 0.0):
                name = f"{scheme}-known-{round(100 * share)}"
                system = replace(known, name=name, train={"indexed": share})
            new = 100 * (1 - share)
            title = f"{curve}, {round(new)} % new"
            lines.append(Line(title, system, _BEAMS, at=(new,), curve=curve))
    axes = ("new items, never trained on (%)",)
    title = "New items: recall by the share of items that were added to the trie only"
    return Recipe("new-items", title, lines, "curves", axes)


def _ordered(image_order: Order, text_order: Order) -> System:
    build = {"image_order": image_order, "text_order": text_order}
    return System(f"{image_order}-{text_order}", build=build)


def _beyond(budget: Budget) -> Recipe:
    """Each line differs from SemCORE in one thing."""
    systems = {
        "SemCORE": SEMCORE,
        "keywords as KeyBERT orders them": _ordered("relevance", "relevance"),
        "rarest keywords first": _ordered("rarest", "rarest"),
        "commonest keywords first": _ordered("commonest", "commonest"),
        "up to 2 identifiers an item": System("views-2", build={"views": 2}),
        "up to 3 identifiers an item": System("views-3", build={"views": 3}),
        "paraphrased queries": System("paraphrased", train={"paraphrased": 0.3}),
    }
    if _answers(budget):
        # Of as many candidates in all, which are ten a query without them.
        fewer = {"gsv_hard": 5, "gsv_queries": round(budget.train.gsv_queries * 10 / 15)}
        systems["hard negatives"] = System("hard-negatives", train=fewer)
        for form in ("pointwise", "listwise"):
            for told in ("keywords", "captions"):
                if (form, told) != ("pointwise", "keywords"):  # which is SemCORE
                    own = {"gsv": form, "gsv_told": told}
                    title = f"verification {form}, told {told}"
                    systems[title] = System(f"{form}-{told}", train=own)
    lines = [Line(title, system, _whole(budget)) for title, system in systems.items()]
    # Where there are not many more items, a bound on what scoring whole subtrees could win.
    every = replace(_whole(budget), beam_width=_MOST_BEAMS)
    lines.append(Line(f"{_MOST_BEAMS} beams", SEMCORE, every))
    lines += _fitted(budget, "weights fitted on validation queries")
    if _answers(budget):
        alike = "log-probability and log-odds weighed alike"
        lines.append(Line(alike, SEMCORE, View(weights=(1.0, 1.0))))
    return Recipe(_BEYOND, "Beyond the paper, one step at a time", lines, repeated=True)
