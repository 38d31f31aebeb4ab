"""More like this: the items whose vectors are nearest to that of an item, or of a picture."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from semcore.bundle.filter import Filter
from semcore.guide.vectors import unit
from semcore.kind import Kind
from service.errors import InvalidQueryError, NotFoundError
from service.guide.cosines import Cosines
from service.index.lookup import look_up
from service.index.snapshot import Snapshot
from service.metadata.arrangement import AS_FOUND, Arrangement
from service.metadata.facets import Counting
from service.schemas.answer import SearchAnswer
from service.search.diversity import AS_RANKED, Diversity
from service.search.guidance import Guidance
from service.search.guide_answer import answer_by_guide, nearest_answer
from service.search.query_image import Upload
from service.search.searcher import Searcher
from service.search.timings import timings
from service.telemetry.stopwatch import Stopwatch
from service.traffic.deadline import Deadline


@dataclass(frozen=True, slots=True)
class SimilarParameters:
    """Attributes:
    kind: of the items wanted; None: that of the item, images for a picture.
    """

    top_k: int
    kind: Kind | None = None
    wanted: Filter | None = None
    diversity: Diversity = AS_RANKED
    offset: int = 0
    arrangement: Arrangement = AS_FOUND
    facets: tuple[str, ...] = ()


async def similar(
    searcher: Searcher,
    snapshot: Snapshot,
    query: str | Upload,
    parameters: SimilarParameters,
    deadline: Deadline,
) -> SearchAnswer:
    """The items nearest to another, which is left out, or to a picture, by the guide alone.

    Args:
        searcher: whose turns and filters it waits for.
        query: the id of an item, or a picture.

    Raises:
        NotFoundError: there is no item of this id.
        InvalidQueryError: the index has no guide, or many items and no cells, its guide does not
            see pictures, or the item has no vector.
        OverloadedError, DeadlineError, BadImageError: as of
            :meth:`service.search.searcher.Searcher.search`.
    """
    watch = Stopwatch()
    if not snapshot.has_guide:
        raise InvalidQueryError(
            "this index has no guide, which tells how alike items are; search by a text or a "
            "picture, or build the index with one"
        )
    given = await look_up(_given, snapshot, query) if isinstance(query, str) else None
    kind = parameters.kind or (given.kind if given else "image")
    await parameters.arrangement.check(snapshot)
    counting = Counting(parameters.facets, kind, parameters.wanted)
    counts = await searcher.facets.beside(watch, snapshot, counting, deadline)
    side = await searcher.side(watch, snapshot, kind, parameters.wanted, deadline, patient=False)
    if side is None:
        return SearchAnswer(
            items=[],
            index_version=snapshot.version,
            guide="only",
            facets=counts,
            timings=timings(watch),
        )
    page = slice(parameters.offset, parameters.offset + parameters.top_k)
    async with AsyncExitStack() as turn:
        with watch.span("queue"):
            await turn.enter_async_context(searcher.admission.turn(deadline))
        if given is not None:
            guided = Guidance(snapshot, side, given.vector)
            answer = await nearest_answer(
                guided, page, watch, parameters.diversity, parameters.arrangement,
                without=given.number,
            )  # fmt: skip
        else:
            picture = await searcher.decoder.decoded(query, watch, deadline)
            answer = await answer_by_guide(
                snapshot, side, picture, page, watch, deadline, parameters.diversity,
                parameters.arrangement,
            )  # fmt: skip
    return answer.model_copy(update={"facets": counts})


@dataclass(frozen=True, slots=True)
class _Given:
    """Attributes:
    vector: float32 [dimension], unit length.
    """

    number: int
    kind: Kind
    vector: Cosines


def _given(snapshot: Snapshot, item_id: str) -> _Given:
    number = snapshot.number(item_id)
    if number is None:
        raise NotFoundError(f"there is no item {item_id!r}")
    vector = unit(snapshot.vectors_of([number]))[0]
    if not vector.any():
        raise InvalidQueryError(
            f"the item {item_id!r} has no vector, by which it could be compared; add it again, or "
            "build the index anew"
        )
    return _Given(number, snapshot.items([number])[0].kind, vector)
