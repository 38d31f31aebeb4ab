"""Budgets: how much a reproduction spends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from offline.training.presets import SMALL, TINY, TrainSettings
from semcore.errors import SemcoreError


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is spent.

    Attributes:
        pictures, warm_up: of the demo corpus.
        limit: queries of each direction; all if None.
        runs: seeds of the systems of tables 1 to 3, and of what goes beyond them; others have one.
        base: what all systems start from, ``tiny`` or ``small``.
        one_base: all seeds start from the first one's.
        gallery: the splits that are searched; queries are of the test split.
        clusters, keywords: the grid of figure 3.
        shares: of the items to be found that are known from training, in the figure of new items.
    """

    name: str
    pictures: int
    warm_up: int
    limit: int | None
    runs: int
    train: TrainSettings
    clusters: int
    keywords: int
    beam_width: int
    cluster_grid: tuple[int, ...]
    keyword_grid: tuple[int, ...]
    shares: tuple[float, ...]
    sizes: tuple[str, ...]
    beams: tuple[int, ...]
    base: str = "tiny"
    one_base: bool = False
    gallery: tuple[str, ...] = ("test",)


_QUICK = replace(
    TINY,
    epochs=0.75,
    batch_size=12,
    learning_rate=1e-3,
    warmup_steps=30,
    gsv_queries=100,
    align_epochs=4.0,
)
_SHORT = Budget(
    name="short", pictures=1000, warm_up=6000, limit=100, runs=1, train=_QUICK,
    clusters=20, keywords=4, beam_width=20, cluster_grid=(5, 20), keyword_grid=(2, 4),
    shares=(0.0, 1.0), sizes=("half", "base"), beams=(10, 20, 30, 40, 50),
)  # fmt: skip
_FULL = Budget(
    name="full", pictures=2000, warm_up=6000, limit=300, runs=3, train=TINY,
    clusters=20, keywords=4, beam_width=20, cluster_grid=(5, 20, 80), keyword_grid=(2, 4, 6),
    shares=(0.0, 0.5, 1.0), sizes=("half", "base", "wide", "double"), beams=(10, 20, 30, 40, 50),
)  # fmt: skip
_MOMENT = Budget(
    name="moment", pictures=100, warm_up=40, limit=4, runs=1,
    train=replace(TINY, epochs=0.25, gsv_queries=4, align_epochs=0.2, check_epochs=0.1),
    clusters=4, keywords=2, beam_width=5, cluster_grid=(2, 4), keyword_grid=(1, 2),
    shares=(0.0, 1.0), sizes=("half", "base"), beams=(2, 5),
)  # fmt: skip
BUDGETS = {budget.name: budget for budget in (_MOMENT, _SHORT, _FULL)}
_OF_SMALL = {
    "moment": replace(SMALL, samples=64, gsv_queries=2, align_epochs=0.2, describe_epochs=0.1),
    # Without a second stage, which teaches nothing at this size: descriptions verify in its place.
    "short": replace(SMALL, samples=5000, gsv_queries=0),
    "full": SMALL,
}


def choose_budget(name: str, base: str, gallery: Sequence[str], seeds: int | None = None) -> Budget:
    """A budget for a base.

    Args:
        seeds: in place of the budget's own ``runs``.

    Raises :class:`SemcoreError` if there is none of that name.
    """
    if name not in BUDGETS:
        raise SemcoreError(f"{name!r} is no budget; there are {', '.join(BUDGETS)}")
    if base not in ("tiny", "small"):
        raise SemcoreError(f"{base!r} is no base for reproductions; there are tiny and small")
    if "test" not in gallery or not {"test", "val"}.issuperset(gallery):
        raise SemcoreError("what is searched is the split test, or test and val")
    budget = replace(BUDGETS[name], gallery=tuple(dict.fromkeys(gallery)))
    budget = replace(budget, runs=seeds or budget.runs)
    if base == "tiny":
        return budget
    # Trained on real captions, with the paper's clusters; there is one size of it, and what lets it
    # see takes longer than all that follows.
    return replace(
        budget, base=base, one_base=True, train=_OF_SMALL[name], clusters=128,
        cluster_grid=(32, 128), sizes=("base",), limit=200 if name == "short" else budget.limit,
        runs=seeds or (1 if name == "moment" else 2),
    )  # fmt: skip
