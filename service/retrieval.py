"""The service without HTTP: engine, index, journal and cache, from start to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from semcore.errors import EngineError
from semcore.item import Item
from semcore.journal import Journal
from semcore.prompt import Direction, normalise_query
from service import metrics
from service.admission import Admission
from service.answer import SearchAnswer, SearchOptions
from service.cache import Cache, cache_key, open_cache
from service.cursor import Cursor, fingerprint
from service.deadline import Deadline
from service.engine import Engine, Picture, VllmEngine
from service.errors import DeadlineError, InvalidQueryError, NotReadyError, OverloadedError
from service.lifecycle import Lifecycle
from service.replicas import Replicas
from service.search import Searcher, SearchParameters
from service.settings import Settings
from service.single_flight import SingleFlight
from service.snapshot import Snapshot
from service.upload import content_key, read_upload
from service.watch import watch_bundle
from service.watchdog import WatchedEngine
from service.writer import Writer

EngineStarter = Callable[[Path, Settings], Engine]
_OUTCOMES: dict[type[Exception], str] = {OverloadedError: "refused", DeadlineError: "late"}
_log = logging.getLogger("semcore")

_Answer = TypeVar("_Answer")


class Presence(Protocol):
    """Awaits work for as long as somebody waits for it."""

    async def __call__(self, work: Awaitable[_Answer], /) -> _Answer: ...


async def present(work: Awaitable[_Answer]) -> _Answer:
    """For those who always wait."""
    return await work


class Retrieval:
    """Answers searches from when :attr:`ready` is set.

    Attributes:
        lifecycle: swaps the index.
        writer: changes what it holds.
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
        self._journal = Journal(settings.journal_folder)
        self.lifecycle = Lifecycle(settings, self._journal)
        self.writer = Writer(self.lifecycle, self._journal, settings.max_image_pixels)
        self.replicas = (
            Replicas(settings.redis_url, self.lifecycle, self.writer, self._journal)
            if settings.redis_url
            else None
        )
        self._start_engine = start_engine
        self._engine: WatchedEngine | None = None
        self._searcher: Searcher | None = None
        self._cache: Cache = open_cache(settings)
        self._flights: SingleFlight[bytes] = SingleFlight()

    async def start(self) -> None:
        """Load the model, warm it up, then be ready."""
        model = self.lifecycle.current.model
        try:
            engine = await asyncio.to_thread(self._start_engine, model, self.settings)
            self._engine = WatchedEngine(engine, self.settings.stall_seconds, self._end)
            admission = Admission(self.settings.concurrent_searches, self.settings.queued_searches)
            self._searcher = Searcher(self._engine, self.settings.verified, admission)
            await self.lifecycle.start(self._searcher)
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

    async def stop(self) -> None:
        metrics.READY.set(0)
        self.ready.clear()
        if self._watch is not None:
            self._watch.cancel()
        if self.replicas is not None:
            await self.replicas.stop()
        if self._engine is not None:
            await self._engine.stop()
        await self._cache.close()
        self.lifecycle.close()
        self._journal.close()

    async def check(self) -> None:
        """Raises :class:`NotReadyError` or :class:`EngineError` if searches cannot be served."""
        if not self.ready.is_set():
            raise NotReadyError("the service is warming up; ask /readyz until it answers 200")
        if self._engine is not None:
            await self._engine.check()

    async def search(
        self,
        direction: Direction,
        query: str | bytes,
        options: SearchOptions,
        presence: Presence = present,
    ) -> bytes:
        """The JSON of a :class:`SearchAnswer`: from the cache, else from the index that is current
        now. Equal searches at the same time share one.

        Args:
            query: a text, or the bytes of a picture's file.
            presence: ends work that nobody waits for any more.
        """
        await self.check()
        parameters = self._parameters(query, options)
        name = normalise_query(query) if isinstance(query, str) else content_key(query)
        with self.lifecycle.lease() as index, metrics.IN_FLIGHT.track_inprogress():
            snapshot = index.snapshot
            asked = fingerprint(direction, name, parameters)
            if options.cursor is not None:
                cursor = Cursor.read(options.cursor, snapshot.version, asked)
                parameters = self._next_page(parameters, cursor.offset)
            search = partial(self._search, snapshot, direction, query, parameters, options, asked)
            if options.profile or options.trace:
                return _json(await presence(search()))
            key = cache_key(snapshot.version, index.model_fingerprint, direction, name, parameters)
            kept = await self._cache.get(key)
            if kept is not None:
                metrics.CACHE.labels("hit").inc()
                metrics.SEARCHES.labels(direction, "cached").inc()
                return kept
            # Those with another deadline may be content with less.
            flight = self._flights.run(
                f"{key}:{options.timeout_ms}", partial(self._kept_search, key, search)
            )
            answer, shared = await presence(flight)
        metrics.CACHE.labels("shared" if shared else "miss").inc()
        return answer

    async def item(self, item_id: str) -> tuple[Item, Path | None] | None:
        """An item of the current index with the path of its picture; None if there is none."""
        with self.lifecycle.lease() as index:
            item = index.snapshot.get(item_id)
            return None if item is None else (item, index.snapshot.image_path(item))

    def _parameters(self, query: str | bytes, options: SearchOptions) -> SearchParameters:
        settings = self.settings
        beam_width = options.beam_width or settings.beam_width
        if options.top_k > settings.max_top_k:
            raise InvalidQueryError(f"top_k may be at most {settings.max_top_k}")
        if beam_width > settings.max_beam_width:
            raise InvalidQueryError(f"beam_width may be at most {settings.max_beam_width}")
        if isinstance(query, str):
            words = len(normalise_query(query).split())
            if not words:
                raise InvalidQueryError("query holds no words")
            if words > settings.max_query_words:
                raise InvalidQueryError(
                    f"query has {words} words and may have at most {settings.max_query_words}"
                )
        return SearchParameters(
            top_k=options.top_k,
            beam_width=max(beam_width, min(options.top_k, settings.max_beam_width)),
            verify=options.verify,
            constrained=options.constrained,
            wanted=options.filter,
        )

    def _next_page(self, parameters: SearchParameters, offset: int) -> SearchParameters:
        if offset + parameters.top_k > self.settings.max_top_k:
            raise InvalidQueryError(
                f"pages end with item {self.settings.max_top_k} (SEMCORE_MAX_TOP_K)"
            )
        return replace(parameters, offset=offset)

    def _end(self) -> None:
        """The engine is lost: whoever watches over this process starts another one."""
        if self.settings.exit_when_lost:
            signal.raise_signal(signal.SIGTERM)

    async def _kept_search(self, key: str, search: Callable[[], Awaitable[SearchAnswer]]) -> bytes:
        answer = await search()
        if answer.degraded is not None:
            return _json(answer)
        self._cache.put(key, _json(answer.model_copy(update={"cached": True, "timings": {}})))
        return _json(answer)

    async def _search(
        self,
        snapshot: Snapshot,
        direction: Direction,
        query: str | bytes,
        parameters: SearchParameters,
        options: SearchOptions,
        asked: str,
    ) -> SearchAnswer:
        assert self._searcher is not None
        milliseconds = options.timeout_ms or self.settings.timeout_ms
        seconds = milliseconds / 1000 if milliseconds else None
        deadline = Deadline(seconds, by_client=options.timeout_ms is not None)
        read: str | Picture
        if isinstance(query, str):
            read = query
        else:
            read = await asyncio.to_thread(read_upload, query, self.settings.max_image_pixels)
        try:
            answer = await self._searcher.search(
                snapshot,
                direction,
                read,
                parameters,
                deadline=deadline,
                profile=options.profile,
                trace=options.trace,
            )
        except (EngineError, OverloadedError, DeadlineError) as error:
            metrics.SEARCHES.labels(direction, _OUTCOMES.get(type(error), "failed")).inc()
            raise
        _count(direction, answer)
        end = parameters.offset + parameters.top_k
        if answer.more and end + parameters.top_k <= self.settings.max_top_k:
            cursor = Cursor(offset=end, version=snapshot.version, query=asked)
            answer = answer.model_copy(update={"cursor": cursor.text})
        return answer


def _json(answer: SearchAnswer) -> bytes:
    return answer.model_dump_json().encode()


def _count(direction: Direction, answer: SearchAnswer) -> None:
    metrics.SEARCHES.labels(direction, "answered").inc()
    metrics.ILLEGAL.inc(answer.illegal)
    if answer.degraded is not None:
        metrics.DEGRADED.labels(direction).inc()
    metrics.VERIFIED.labels(direction, str(answer.verified).lower()).inc()
    for stage, milliseconds in answer.timings.items():
        metrics.STAGE.labels(direction, stage).observe(milliseconds / 1000)
    if answer.items and answer.items[0].beam_rank > 1:
        metrics.FLIPS.inc()
