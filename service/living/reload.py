"""Lifecycle of the index: checked, warmed up, compared by its canary, then switched at once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from semcore.bundle.bundle import read_manifest
from semcore.clock import Clock, seconds_of
from semcore.errors import BundleError, JournalError, SemcoreError
from semcore.journal.journal import Journal
from semcore.kind import DIRECTIONS, Direction
from semcore.model.prompt import LETTERS
from service.engine.protocol import Picture
from service.errors import InvalidQueryError, ReloadError
from service.index.index import Index, IndexSlot
from service.living.canary import canary_recall
from service.schemas.admin import (
    GuideReport,
    IndexReport,
    IndexStatus,
    LoadReport,
    ReloadAnswer,
    SetAside,
)
from service.schemas.answer import SearchAnswer
from service.search.searcher import Searcher, SearchParameters
from service.settings import Settings
from service.telemetry import metrics

_TOLD = 100  # changes set aside that a status lists
_PICTURES_STAY = 7 * 24 * 3600.0  # seconds, in which a replica may be away that wants one again
_log = logging.getLogger("semcore")


class Lifecycle:
    """The current index, and how another one takes its place.

    Attributes:
        writing: held by whoever changes what can be found, so that a new index misses nothing.
    """

    def __init__(self, settings: Settings, journal: Journal) -> None:
        """Opens the index. Raises :class:`BundleError` if it cannot be served."""
        self._settings = settings
        self._journal = journal
        self._slot = IndexSlot(self._open(settings.bundle))
        self._searcher: Searcher | None = None
        self._recall: dict[str, dict[Direction, float]] = {}
        self._loading: LoadReport | None = None
        self._failed: LoadReport | None = None
        self._changing = asyncio.Lock()
        self.writing = asyncio.Lock()

    @property
    def current(self) -> Index:
        return self._slot.current

    def lease(self) -> AbstractContextManager[Index]:
        """The current index, which stays open as long as the lease lasts."""
        return self._slot.lease()

    @property
    def engine_settings(self) -> Settings:
        """Those of an engine for the current index: its prompts have room for the pictures of a
        whole list where the model chooses from one."""
        if self.current.bundle.gsv.form == "pointwise":
            return self._settings
        room = max(self._settings.verified, len(LETTERS))
        return self._settings.model_copy(update={"verified": room})

    @property
    def held(self) -> list[Clock]:
        """What each bundle holds that serves, or would after a rollback."""
        indexes = [self.current, *filter(None, [self._slot.previous])]
        return [index.held for index in indexes]

    async def start(self, searcher: Searcher) -> None:
        """Warm up the index that was opened, and ask its canary."""
        self._searcher = searcher
        async with self.writing:
            await asyncio.to_thread(self._adopt, self.current)
        await self._warm_up(self.current)
        await self._ask_canary(self.current)
        self._tell()

    async def reload(self, bundle: Path | None) -> ReloadAnswer:
        """Serve another bundle; the current one anew unless told otherwise.

        Raises :class:`ReloadError` and keeps the old one on any fault.
        """
        async with self._changing:
            path = bundle or self.current.bundle.path
            index: Index | None = None
            self._stage(path, "checking")
            opening = asyncio.ensure_future(asyncio.to_thread(self._open, path))
            try:
                index = await asyncio.shield(opening)
                if index.bundle.model_fingerprint != self.current.bundle.model_fingerprint:
                    raise ReloadError(
                        f"{path} was made for another model than the one that serves; build it "
                        "with --like the current bundle, or restart the service on it"
                    )
                self._stage(path, "warming up")
                await self._warm_up(index)
                self._stage(path, "asking the canary")
                await self._ask_canary(index)
                self._compare(index)
                return await self._switch(index)
            except BaseException as error:
                if index is self.current:  # it serves by now, and only who asked for it has gone
                    raise
                metrics.RELOADS.labels("refused").inc()
                self._failed = LoadReport(
                    bundle=str(path), since=datetime.now(UTC), stage="refused", reason=str(error)
                )
                _log.warning("the index %s was refused: %s", path, error)
                if index is not None:
                    index.close()
                else:
                    opening.add_done_callback(_close)
                if isinstance(error, SemcoreError) and not isinstance(error, ReloadError):
                    raise ReloadError(str(error)) from error
                raise
            finally:
                self._loading = None

    async def rollback(self) -> ReloadAnswer:
        """Serve the index before the current one, which is still open.

        Raises :class:`ReloadError` if there is none.
        """
        async with self._changing:
            previous = self._slot.previous
            if previous is None:
                raise ReloadError("there is no previous index; nothing was reloaded yet")
            return await self._switch(previous)

    async def serve(self, bundle: Path, version: str) -> None:
        """Serve the index of a version, by a rollback where it is the one before.

        Raises :class:`ReloadError` if that is impossible, or another index lies there by now.
        """
        previous = self._slot.previous
        if previous is not None and previous.bundle.version == version:
            await self.rollback()
            return
        try:
            found = (await asyncio.to_thread(read_manifest, bundle)).version
        except BundleError as error:
            raise ReloadError(str(error)) from error
        if found != version:
            raise ReloadError(
                f"{bundle} holds the index {found} by now, not {version}; put that one back, or "
                "reload another one"
            )
        await self.reload(bundle)

    def status(self) -> IndexStatus:
        previous = self._slot.previous
        return IndexStatus(
            current=self._report(self.current),
            previous=None if previous is None else self._report(previous),
            loading=self._loading,
            failed=self._failed,
            journal=self._journal.last,
            read=self._journal.read,
        )

    def close(self) -> None:
        self._slot.close()

    def _open(self, bundle: Path) -> Index:
        settings = self._settings
        index = Index(
            bundle, self._journal, settings.image_root, settings.model, settings.filter_bytes
        )
        learned = index.bundle.gsv.form
        if index.bundle.model is not None and settings.gsv not in ("auto", learned):
            index.close()
            raise BundleError(
                f"the model of {bundle} has learned to verify {learned}, not {settings.gsv}; set "
                f"SEMCORE_GSV to auto, or train with --gsv {settings.gsv}"
            )
        return index

    async def _switch(self, index: Index) -> ReloadAnswer:
        before = self.current
        async with self.writing:
            await asyncio.to_thread(self._adopt, index)
            self._slot.replace(index)
            metrics.RELOADS.labels("done").inc()
            self._tell()
            _log.info(
                "the index %s serves in place of %s", index.bundle.version, before.bundle.version
            )
            await self._prune(before.held, index.held)
        return ReloadAnswer(
            index_version=index.snapshot.version,
            previous_version=before.snapshot.version,
            counts=index.bundle.manifest.counts,
            canary=self._recall.get(index.bundle.version, {}),
        )

    def _adopt(self, index: Index) -> None:
        """Let an index follow that is to serve, and the journal know what it holds."""
        index.catch_up(self._journal)
        has_stream = self._settings.redis_url is not None
        try:
            self._journal.adopt(index.held, skip=not has_stream)
        except JournalError as error:  # nothing can be changed either, then
            _log.warning("the journal does not know the bundle that serves: %s", error)
        self.tell_changes(index)

    async def _prune(self, *held: Clock) -> None:
        has_replicas = self._settings.redis_url is not None
        after = _PICTURES_STAY if has_replicas else 0.0
        try:
            await asyncio.to_thread(self._journal.prune, held, pictures_after=after)
        except JournalError as error:  # the next reload prunes them, too
            _log.warning("changes that bundles hold stay in the journal: %s", error)

    async def _warm_up(self, index: Index) -> None:
        """One search a direction: compiles what compiles, and maps the walks in the engine."""
        assert self._searcher is not None
        blank = Picture(Image.new("RGB", (64, 64)), "warm-up")
        width = self._settings.beam_width
        parameters = SearchParameters(
            1, width, verify="always", constrained=True, guide=self._settings.guide
        )
        searches: list[Awaitable[SearchAnswer]] = []
        for direction in DIRECTIONS:
            query = "warm up" if direction == "text-to-image" else blank
            searches.append(
                self._searcher.search(index.snapshot, direction, query, parameters, patient=True)
            )
        for told in await asyncio.gather(*searches, return_exceptions=True):
            if isinstance(told, InvalidQueryError):  # the other direction serves
                _log.warning("the warm-up of %s was refused: %s", index.bundle.version, told)
            elif isinstance(told, BaseException):
                raise told

    async def _ask_canary(self, index: Index) -> None:
        assert self._searcher is not None
        indexes = filter(None, (self.current, self._slot.previous))
        kept = {one.bundle.version for one in indexes}
        self._recall = {name: known for name, known in self._recall.items() if name in kept}
        if index.bundle.version not in self._recall:  # else it holds the same, for the same model
            width = self._settings.beam_width
            self._recall[index.bundle.version] = await canary_recall(self._searcher, index, width)

    def _compare(self, index: Index) -> None:
        """Raises :class:`ReloadError` if an index finds its canaries worse than the current one."""
        margin = self._settings.canary_margin
        known = self._recall.get(self.current.bundle.version, {})
        for direction, recall in self._recall[index.bundle.version].items():
            before = known.get(direction)
            if before is not None and recall < before - margin:
                raise ReloadError(
                    f"{index.bundle.path} finds {100 * recall:.0f} % of its canary queries "
                    f"{direction}, where the current index finds {100 * before:.0f} %; look into "
                    "it, or raise SEMCORE_CANARY_MARGIN"
                )

    def _stage(self, bundle: Path, stage: str) -> None:
        since = self._loading.since if self._loading else datetime.now(UTC)
        self._loading = LoadReport.model_validate(
            {"bundle": str(bundle), "since": since, "stage": stage}
        )

    def _report(self, index: Index) -> IndexReport:
        return IndexReport(
            version=index.snapshot.version,
            bundle=str(index.bundle.path),
            bundle_version=index.bundle.version,
            created=index.bundle.manifest.created,
            corpus=index.bundle.manifest.corpus.name,
            guide=_guide_report(index),
            counts=index.bundle.manifest.counts,
            added=len(index.snapshot.added),
            deleted=index.snapshot.deleted,
            holds=index.held,
            set_aside=[
                SetAside(id=item_id, reason=reason)
                for item_id, reason in list(index.set_aside.items())[:_TOLD]
            ],
            set_aside_count=len(index.set_aside),
            canary=self._recall.get(index.bundle.version),
        )

    def tell_changes(self, index: Index) -> None:
        """Let the metrics say how far the changes of items are."""
        lacking, first = self._journal.lacking(index.held)
        metrics.LACKING.set(lacking)
        metrics.LACKING_SECONDS.set(time.time() - first if first else 0)
        metrics.SET_ASIDE.set(len(index.set_aside))
        metrics.CLOCK.labels("bundle").set(seconds_of(index.held.position))
        metrics.CLOCK.labels("read").set(seconds_of(self._journal.read.position))

    def _tell(self) -> None:
        metrics.INDEX.clear()
        metrics.INDEX.labels(self.current.bundle.version).set(1)
        for direction, recall in self._recall.get(self.current.bundle.version, {}).items():
            metrics.CANARY.labels(direction).set(recall)


def _guide_report(index: Index) -> GuideReport | None:
    record = index.bundle.manifest.guide
    if record is None:
        return None
    return GuideReport(
        encoder=record.encoder,
        fingerprint=record.fingerprint,
        picture_weight=record.picture_weight,
        alone=index.bundle.model is None,
    )


def _close(opening: asyncio.Future[Index]) -> None:
    """An index that nobody wants any more, also where the thread that opens it goes on."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
