"""The service without HTTP: engine, index and cache, from start to stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from PIL import Image

from semcore.errors import BundleError, EngineError
from semcore.item import Item
from semcore.prompt import DIRECTIONS, Direction, normalise_query
from service import metrics
from service.answer import ReloadAnswer, SearchAnswer, SearchOptions
from service.cache import Cache, cache_key, open_cache
from service.engine import Engine, Picture, VllmEngine
from service.errors import InvalidQueryError, NotReadyError, ReloadError
from service.index import Index, IndexSlot
from service.search import Searcher, SearchParameters
from service.settings import Settings

EngineStarter = Callable[[Path, Settings], Engine]
_log = logging.getLogger("semcore")


class Retrieval:
    """Answers searches from when :attr:`ready` is set; swaps indexes while it does."""

    def __init__(self, settings: Settings, start_engine: EngineStarter = VllmEngine.start) -> None:
        """Opens the index. Raises :class:`BundleError` if it cannot be served."""
        self.settings = settings
        self.ready = asyncio.Event()
        self.failure: Exception | None = None
        self._slot = IndexSlot(Index(settings.bundle, settings.image_root))
        self._bundle = settings.bundle
        self._start_engine = start_engine
        self._engine: Engine | None = None
        self._searcher: Searcher | None = None
        self._cache: Cache = open_cache(settings)
        self._reloading = asyncio.Lock()

    @property
    def index(self) -> Index:
        return self._slot.current

    async def start(self) -> None:
        """Load the model, warm it up, then be ready."""
        model = self.settings.model or self.index.model
        try:
            self._engine = await asyncio.to_thread(self._start_engine, model, self.settings)
            self._searcher = Searcher(
                self._engine, self.settings.verified, self.settings.concurrent_searches
            )
            await self._warm_up(self.index)
        except Exception as error:
            self.failure = error
            _log.exception("the service cannot start")
            raise
        metrics.INDEX.labels(self.index.version).set(1)
        metrics.READY.set(1)
        self.ready.set()

    async def stop(self) -> None:
        metrics.READY.set(0)
        self.ready.clear()
        if self._engine is not None:
            await self._engine.stop()
        await self._cache.close()
        self._slot.close()

    async def check(self) -> None:
        """Raises :class:`NotReadyError` or :class:`EngineError` if searches cannot be served."""
        if not self.ready.is_set():
            raise NotReadyError("the service is warming up; ask /readyz until it answers 200")
        if self._engine is not None:
            await self._engine.check()

    async def search(
        self, direction: Direction, query: str | Picture, options: SearchOptions
    ) -> SearchAnswer:
        """Answer from the cache, else from the index that is current now."""
        await self.check()
        parameters = self._parameters(query, options)
        with self._slot.lease() as index, metrics.IN_FLIGHT.track_inprogress():
            name = normalise_query(query) if isinstance(query, str) else query.key
            key = cache_key(index.version, index.model_fingerprint, direction, name, parameters)
            apart = options.profile or bool(options.trace)
            kept = None if apart else await self._from_cache(key, direction)
            if kept is not None:
                return kept
            assert self._searcher is not None
            try:
                answer = await self._searcher.search(
                    index,
                    direction,
                    query,
                    parameters,
                    profile=options.profile,
                    trace=options.trace,
                )
            except EngineError:
                metrics.SEARCHES.labels(direction, "failed").inc()
                raise
        _count(direction, answer)
        if apart:
            return answer
        await self._cache.put(key, answer.model_dump_json().encode())
        return answer

    async def item(self, item_id: str) -> tuple[Item, Path | None] | None:
        """An item of the current index with the path of its picture; None if there is none."""
        with self._slot.lease() as index:
            item = index.store.get(item_id)
            return None if item is None else (item, index.image_path(item))

    async def reload(self, bundle: Path | None) -> ReloadAnswer:
        """Serve another bundle. Raises :class:`ReloadError` and keeps the old one on any fault."""
        await self.check()
        async with self._reloading:
            path = bundle or self._bundle
            before = self.index
            try:
                index = await asyncio.to_thread(Index, path, self.settings.image_root)
            except BundleError as error:
                metrics.RELOADS.labels("refused").inc()
                raise ReloadError(str(error)) from error
            try:
                if index.model_fingerprint != before.model_fingerprint:
                    raise ReloadError(
                        f"{path} was made for another model than the one that serves; build it "
                        "with --like the current bundle, or restart the service on it"
                    )
                await self._warm_up(index)
            except BaseException:
                metrics.RELOADS.labels("refused").inc()
                index.close()
                raise
            self._slot.replace(index)
            self._bundle = path
            metrics.RELOADS.labels("done").inc()
            metrics.INDEX.clear()
            metrics.INDEX.labels(index.version).set(1)
            return ReloadAnswer(
                index_version=index.version,
                previous_version=before.version,
                counts=index.manifest.counts,
            )

    async def _warm_up(self, index: Index) -> None:
        """One search a direction: compiles what compiles, and maps the walks in the engine."""
        assert self._searcher is not None
        blank = Picture(Image.new("RGB", (64, 64)), "warm-up")
        parameters = SearchParameters(
            1, self.settings.beam_width, verify="always", constrained=True
        )
        searches: list[Awaitable[SearchAnswer]] = []
        for direction in DIRECTIONS:
            query = "warm up" if direction == "text-to-image" else blank
            searches.append(self._searcher.search(index, direction, query, parameters))
        await asyncio.gather(*searches)

    def _parameters(self, query: str | Picture, options: SearchOptions) -> SearchParameters:
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
        )

    async def _from_cache(self, key: str, direction: Direction) -> SearchAnswer | None:
        began = time.perf_counter()
        kept = await self._cache.get(key)
        answer = None
        if kept is not None:
            try:
                answer = SearchAnswer.model_validate_json(kept)
            except ValueError:
                _log.warning("the cache returned something else than an answer; searching again")
        metrics.CACHE.labels("hit" if answer else "miss").inc()
        if answer is not None:
            answer.cached = True
            answer.timings = {"total": 1000 * (time.perf_counter() - began)}
            metrics.SEARCHES.labels(direction, "cached").inc()
        return answer


def _count(direction: Direction, answer: SearchAnswer) -> None:
    metrics.SEARCHES.labels(direction, "answered").inc()
    metrics.ILLEGAL.inc(answer.illegal)
    metrics.VERIFIED.labels(direction, str(answer.verified).lower()).inc()
    for stage, milliseconds in answer.timings.items():
        metrics.STAGE.labels(direction, stage).observe(milliseconds / 1000)
    if answer.items and answer.items[0].beam_rank > 1:
        metrics.FLIPS.inc()
