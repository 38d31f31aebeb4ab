"""The answer of the guide alone: of an index that was not trained, or where that is asked for."""

from __future__ import annotations

from typing import NoReturn

from semcore.bundle.calibration import Calibration
from service.beams.side import Side
from service.engine.protocol import Picture
from service.errors import DeadlineError, InvalidQueryError
from service.index.snapshot import Snapshot
from service.index.visible_items import EXACT_WITHOUT_CELLS
from service.metadata.arrangement import AS_FOUND, Arrangement
from service.refusal.threshold import NO_THRESHOLD, Threshold
from service.schemas.answer import SearchAnswer
from service.search.candidates import MOST, candidates_of, kept, ranked
from service.search.diversity import AS_RANKED, Diversity, grouped
from service.search.guidance import Guidance, timed_guidance
from service.search.timings import timings
from service.telemetry.stopwatch import Stopwatch
from service.traffic.deadline import Deadline

_COSINE = Calibration(likelihood=0.0, cosine=1.0)


async def answer_by_guide(
    snapshot: Snapshot,
    side: Side,
    query: str | Picture,
    page: slice,
    watch: Stopwatch,
    deadline: Deadline,
    diversity: Diversity = AS_RANKED,
    arrangement: Arrangement = AS_FOUND,
    threshold: Threshold = NO_THRESHOLD,
) -> SearchAnswer:
    """The items with the highest cosines.

    Args:
        page: which of them.

    Raises:
        InvalidQueryError: the index has no guide, or many items and no cells, or its guide does not
            see the picture that asks.
        DeadlineError: there was no time.
    """
    guided, is_in_time = await timed_guidance(snapshot, side, query, watch, deadline)
    if not is_in_time:
        raise DeadlineError(
            "the deadline passed before the query was encoded; allow the search more time",
            by_client=deadline.by_client,
        )
    if guided is None:
        raise InvalidQueryError(
            "the guide of this index reads texts only; search by a text, or build the index with a "
            "guide that sees pictures, or train a model"
            if snapshot.has_guide
            else "this index has no guide; leave guide=only out, or build the index with one"
        )
    return await nearest_answer(guided, page, watch, diversity, arrangement, threshold)


async def nearest_answer(
    guided: Guidance,
    page: slice,
    watch: Stopwatch,
    diversity: Diversity = AS_RANKED,
    arrangement: Arrangement = AS_FOUND,
    threshold: Threshold = NO_THRESHOLD,
    without: int | None = None,
) -> SearchAnswer:
    """The items with the highest cosines to a vector.

    Args:
        page: which of them.
        without: number of an item that is left out.

    Raises :class:`InvalidQueryError` if the index has many items, and no cells.
    """
    snapshot, side = guided.snapshot, guided.side
    if side.visible is None:
        raise InvalidQueryError(
            f"this index has more than {EXACT_WITHOUT_CELLS:,} items and was built without cells, "
            "by an earlier version; build or compact it again, or search by a text or a picture, "
            "without guide=only"
        )
    most = MOST if diversity.is_wanted or arrangement.is_wanted else page.stop + 1
    asked = most if without is None else most + 1
    with watch.span("items"):
        found = await candidates_of(snapshot, side, (), _unspelled, asked, _COSINE, guided)
        found = [one for one in found if one.number != without][:most]
        found = kept(found, threshold)
    with watch.span("rank"):
        groups = await grouped(snapshot, found, [], _COSINE, diversity, arrangement)
        items = ranked(found, [], page, groups=groups)
    return SearchAnswer(
        items=items,
        index_version=snapshot.version,
        guide="only",
        more=len(groups) > page.stop,
        considered=len(found) if arrangement.is_wanted else None,
        timings=timings(watch),
    )


def _unspelled(_identifier: str) -> NoReturn:
    raise AssertionError("what the guide alone has found was spelled by no beam")
