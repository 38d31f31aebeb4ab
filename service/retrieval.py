"""The service without HTTP: engine, index, journal and cache, from start to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from semcore.bundle.item import Item
from semcore.errors import EngineError, SemcoreError
from semcore.journal.journal import Journal
from semcore.kind import DIRECTIONS, Direction, Kind
from semcore.pictures.picture_source import PictureSource
from service.cache.answer_cache import Cache, open_cache
from service.cache.single_flight import SingleFlight
from service.engine.no_engine import NoEngine
from service.engine.protocol import Engine
from service.engine.vllm_engine import VllmEngine
from service.engine.watchdog import WatchedEngine
from service.errors import (
    OUTCOMES,
    DeadlineError,
    InvalidQueryError,
    NotReadyError,
    OverloadedError,
)
from service.index.identifier_tree import TreeAnswer, tree
from service.index.lookup import look_up
from service.index.renditions import Renditions
from service.index.snapshot import Snapshot
from service.living.bundle_watcher import watch_bundle
from service.living.item_writer import Writer
from service.living.reload import Lifecycle
from service.living.replicas import Replicas
from service.metadata.facets import Counting
from service.rerank.reranker import Reranker
from service.schemas.answer import SearchAnswer, SearchOptions, SimilarOptions, rendered_aside
from service.schemas.metadata import FacetAnswer, FacetQuery
from service.schemas.rerank import RerankAnswer, RerankRequest
from service.search.cursor import Cursor
from service.search.decoder import Decoder
from service.search.query_image import Upload, check_upload
from service.search.request import Question, question, similar_question
from service.search.searcher import Searcher, SearchParameters
from service.search.similar import SimilarParameters, similar
from service.settings import Settings
from service.telemetry import metrics
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline
from service.traffic.presence import Presence, present

EngineStarter = Callable[[Path, Settings], Engine]
_log = logging.getLogger("semcore")


class Retrieval:
    """Answers searches from when :attr:`ready` is set.

    Attributes:
        lifecycle: swaps the index.
        writer: changes what it holds.
        renditions: pictures of items for browsers.
        replicas: tell others, and are told; None without Redis.
        draining: the service is about to end, and still answers.
    """

    def __init__(self, settings: Settings, start_engine: EngineStarter = VllmEngine.start) -> None:
        """Opens the index. Raises :class:`BundleError` if it cannot be served,
        :class:`JournalError` if there are changes that cannot be read."""
        self.settings = settings
        self.ready = asyncio.Event()
        self.failure: Exception | None = None
        self.draining = False
        self._watch: asyncio.Task[None] | None = None
        self._journal = Journal(
            settings.journal_folder,
            settings.picture_folder,
            has_stream=settings.redis_url is not None,
        )
        self.lifecycle = Lifecycle(settings, self._journal)
        self.writer = Writer(self.lifecycle, self._journal, settings.max_image_pixels)
        self.replicas = (
            Replicas(settings.redis_url, self.lifecycle, self.writer, self._journal, self._is_ready)
            if settings.redis_url
            else None
        )
        self.renditions = Renditions(settings.thumbnail_bytes)
        self._start_engine = start_engine
        self._starting: asyncio.Future[Engine] | None = None
        self._engine: WatchedEngine | None = None
        self._searcher: Searcher | None = None
        self._reranker: Reranker | None = None
        self._cache: Cache = open_cache(settings)
        self._flights: SingleFlight[bytes] = SingleFlight()

    async def start(self) -> None:
        """Load the model, warm it up, then be ready."""
        model = self.lifecycle.current.bundle.model
        try:
            self._starting = asyncio.ensure_future(asyncio.to_thread(self._engine_of, model))
            engine = await asyncio.shield(self._starting)
            self._engine = WatchedEngine(engine, self.settings.stall_seconds, self._end)
            settings = self.settings
            decoder = Decoder(
                self.lifecycle.current.bundle.side,
                settings.max_image_pixels,
                settings.picture_cache_bytes,
            )
            admission = Admission(settings.concurrent_searches, settings.queued_searches)
            self._searcher = Searcher(self._engine, settings.verified, admission, decoder)
            self._reranker = Reranker(self._engine, admission, decoder, settings)
            await self.lifecycle.start(self._searcher)
            if self.replicas is not None:
                await self.replicas.catch_up()
            # What stays for good is never looked through again: that takes half a second each time.
            gc.collect()
            gc.freeze()
            self._engine.watch()
        except Exception as error:
            self.failure = error
            _log.exception("the service cannot start")
            raise
        metrics.READY.set(1)
        self.ready.set()
        if self.replicas is not None:
            self.replicas.start()
        if self.settings.watch_seconds:
            watch = watch_bundle(self.lifecycle, self.settings.watch_seconds)
            self._watch = asyncio.create_task(watch)

    def _engine_of(self, model: Path | None) -> Engine:
        """None is started for a bundle that was not trained."""
        settings = self.lifecycle.engine_settings
        return NoEngine() if model is None else self._start_engine(model, settings)

    async def stop(self) -> None:
        metrics.READY.set(0)
        self.ready.clear()
        if self._watch is not None:
            self._watch.cancel()
        if self.replicas is not None:
            await self.replicas.stop()
        if self._engine is not None:
            await self._engine.stop()
        elif self._starting is not None:
            with suppress(Exception):  # nothing to stop where it cannot start
                await (await self._starting).stop()
        if self._searcher is not None:
            self._searcher.decoder.close()
        self.renditions.close()
        await self._cache.close()
        self.lifecycle.close()
        self._journal.close()
        gc.unfreeze()

    async def check(self) -> None:
        """Raises :class:`NotReadyError` or :class:`EngineError` if searches cannot be served."""
        if not self.ready.is_set():
            raise NotReadyError("the service is warming up; ask /readyz until it answers 200")
        if self._engine is not None:
            await self._engine.check()

    async def check_ready(self) -> None:
        """Raises what :meth:`check` does, and :class:`NotReadyError` once the service is to end."""
        if self.draining:
            raise NotReadyError("the service is about to end; send searches to another one")
        if self.replicas is not None and self.replicas.replication.lost:
            raise NotReadyError(self.replicas.replication.lost)
        await self.check()

    async def _is_ready(self) -> bool:
        try:
            await self.check_ready()
        except SemcoreError:
            return False
        return True

    def question(
        self, direction: Direction, query: str | bytes, options: SearchOptions
    ) -> Question:
        """Raises :class:`InvalidQueryError` beyond what the settings allow."""
        return question(direction, query, options, self.settings)

    def similar_question(self, query: str | bytes, options: SimilarOptions) -> Question:
        """The same of a search for items like one."""
        return similar_question(query, options, self.settings)

    async def kept(self, asked: Question) -> bytes | None:
        """The answer, if it is in the cache; counted as a search if so.

        Raises :class:`NotReadyError` or :class:`EngineError` if searches cannot be served.
        """
        await self.check()
        index = self.lifecycle.current
        return await self._kept(
            asked, asked.key(index.snapshot.version, *index.bundle.fingerprints)
        )

    async def search(
        self,
        asked: Question,
        query: str | bytes,
        presence: Presence = present,
        *,
        looked: bool = False,
    ) -> bytes:
        """The JSON of a :class:`SearchAnswer`: from the cache, else from the index that is current
        now. Equal searches at the same time share one.

        Args:
            query: what ``asked`` was made of.
            presence: ends work that nobody waits for any more.
            looked: the answer was looked for in the cache just now, in vain.
        """
        await self.check()
        with self.lifecycle.lease() as index, metrics.IN_FLIGHT.track_inprogress():
            snapshot = index.snapshot
            if asked.cursor is not None:
                cursor = Cursor.read(asked.cursor, snapshot.version, asked.fingerprint)
                asked = self._next_page(asked, cursor.offset)
            search = partial(self._search, snapshot, asked, query)
            if not asked.is_common:
                return await rendered_aside(await presence(search()))
            key = asked.key(snapshot.version, *index.bundle.fingerprints)
            kept = None if looked else await self._kept(asked, key)
            if kept is not None:
                return kept
            # Those with another deadline may be content with less.
            flight = self._flights.run(
                f"{key}:{asked.timeout_ms}", partial(self._kept_search, key, search)
            )
            answer, shared = await presence(flight)
        metrics.CACHE.labels("shared" if shared else "miss").inc()
        return answer

    async def rerank(self, asked: RerankRequest) -> RerankAnswer:
        """Documents in order (:meth:`service.rerank.reranker.Reranker.rerank`)."""
        await self.check()
        assert self._reranker is not None
        with self.lifecycle.lease() as index, metrics.IN_FLIGHT.track_inprogress():
            return await self._reranker.rerank(index, asked)

    async def facets(self, asked: FacetQuery) -> FacetAnswer:
        """Counts by metadata (:meth:`service.metadata.facets.FacetCounter.count`)."""
        await self.check()
        assert self._searcher is not None
        counting = Counting(tuple(asked.fields), asked.kind, asked.filter, asked.limit)
        deadline = Deadline.of_request(asked.timeout_ms, self.settings.timeout_ms)
        with self.lifecycle.lease() as index:
            version = index.snapshot.version
            counts = await self._searcher.facets.count(index.snapshot, counting, deadline)
        return FacetAnswer(index_version=version, **dict(counts))

    async def item(self, item_id: str) -> tuple[Item, PictureSource | None] | None:
        """An item of the current index with the place of its picture; None if there is none."""
        with self.lifecycle.lease() as index:
            return await look_up(_item, index.snapshot, item_id)

    async def tree(self, kind: Kind, beginning: str, branches: int, items: int) -> TreeAnswer:
        """A place in the current index (:func:`service.index.identifier_tree.tree`)."""
        with self.lifecycle.lease() as index:
            return await asyncio.to_thread(tree, index.snapshot, kind, beginning, branches, items)

    def _next_page(self, asked: Question, offset: int) -> Question:
        if offset + asked.parameters.top_k > self.settings.max_top_k:
            raise InvalidQueryError(
                f"pages end with item {self.settings.max_top_k} (SEMCORE_MAX_TOP_K)"
            )
        return asked.at(offset)

    def _end(self) -> None:
        """The engine is lost: whoever watches over this process starts another one."""
        if self.settings.exit_when_lost:
            signal.raise_signal(signal.SIGTERM)

    async def _kept(self, asked: Question, key: str) -> bytes | None:
        answer = await self._cache.get(key)
        if answer is not None:
            metrics.CACHE.labels("hit").inc()
            metrics.SEARCHES.labels(asked.direction, "cached").inc()
        return answer

    async def _kept_search(self, key: str, search: Callable[[], Awaitable[SearchAnswer]]) -> bytes:
        answer = await search()
        if answer.degraded is not None:
            return await rendered_aside(answer)
        kept = answer.model_copy(update={"cached": True, "timings": {}})
        self._cache.put(key, await rendered_aside(kept))
        return await rendered_aside(answer)

    async def _search(
        self, snapshot: Snapshot, asked: Question, query: str | bytes
    ) -> SearchAnswer:
        assert self._searcher is not None
        direction, parameters = asked.direction, asked.parameters
        deadline = Deadline.of_request(asked.timeout_ms, self.settings.timeout_ms)
        read: str | Upload
        if isinstance(query, str):
            read = query
        else:
            read = await asyncio.to_thread(check_upload, query, self.settings.max_image_pixels)
        try:
            if direction == "similar":
                assert isinstance(parameters, SimilarParameters)
                answer = await similar(self._searcher, snapshot, read, parameters, deadline)
            else:
                assert isinstance(parameters, SearchParameters)
                answer = await self._searcher.search(
                    snapshot,
                    direction,
                    read,
                    parameters,
                    deadline=deadline,
                    profile=asked.profile,
                    trace=asked.trace,
                )
        except (EngineError, OverloadedError, DeadlineError) as error:
            metrics.SEARCHES.labels(direction, OUTCOMES.get(type(error), "failed")).inc()
            raise
        _count(direction, answer)
        end = parameters.offset + parameters.top_k
        if answer.more and end + parameters.top_k <= self.settings.max_top_k:
            cursor = Cursor(offset=end, version=snapshot.version, query=asked.fingerprint)
            answer = answer.model_copy(update={"cursor": cursor.text})
        return answer


def _item(snapshot: Snapshot, item_id: str) -> tuple[Item, PictureSource | None] | None:
    item = snapshot.get(item_id)
    return None if item is None else (item, snapshot.picture_source(item))


def _count(direction: str, answer: SearchAnswer) -> None:
    metrics.SEARCHES.labels(direction, "answered").inc()
    metrics.ILLEGAL.inc(answer.illegal)
    if answer.degraded is not None:
        metrics.DEGRADED.labels(direction).inc()
    if direction in DIRECTIONS:  # nothing that is only compared is ever verified
        metrics.VERIFIED.labels(direction, str(answer.verified).lower()).inc()
    for stage, milliseconds in answer.timings.items():
        metrics.STAGE.labels(direction, stage).observe(milliseconds / 1000)
    first = next(iter(answer.items), None)
    if answer.verified and first is not None and first.rank == 1 < first.beam_rank:
        metrics.FLIPS.inc()
