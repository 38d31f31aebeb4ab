"""The living corpus: items added, replaced and deleted while the index serves."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence

from PIL import Image

from semcore.clock import Position
from semcore.errors import BundleError, JournalError
from semcore.journal.change import Change, Entry, ToldChange
from semcore.journal.journal import Journal
from semcore.journal.picture_folder import PictureFolder
from service.errors import InvalidQueryError, NotFoundError
from service.index.index import Index
from service.living.reload import Lifecycle
from service.schemas.admin import ChangeAnswer, NewItem
from service.search.query_image import image_suffix, read_upload
from service.telemetry import metrics


class Writer:
    """Writes changes to the journal, and lets the current index follow.

    Attributes:
        written: set with each change of this replica; who tells others clears it.
    """

    def __init__(self, lifecycle: Lifecycle, journal: Journal, max_image_pixels: int) -> None:
        self._lifecycle = lifecycle
        self._journal = journal
        self._max_image_pixels = max_image_pixels
        self.written = asyncio.Event()

    async def add(self, items: Sequence[NewItem]) -> ChangeAnswer:
        """Name items by the clusters of the current index, and add all or none of them.

        Raises:
            RequestError: a picture is none, two items have the same id, an item cannot be shown, or
                items of such a bundle are named by the offline job only.
            JournalError: the journal cannot be written.
        """
        if len({item.id for item in items}) < len(items):
            raise InvalidQueryError("two of the items have the same id")

        def add(index: Index) -> list[Change]:
            changes, suffixes = [], []
            for item in items:
                suffix, picture = self._picture(index, item)
                changes.append(_addition(index, item, suffix, picture))
                suffixes.append(suffix)
            self._write(index, changes, list(zip(items, suffixes, strict=True)))
            return changes

        return await self._change(add)

    async def delete(self, item_id: str) -> ChangeAnswer:
        """Raises :class:`NotFoundError` if there is no such item, :class:`JournalError` if the
        journal cannot be written."""

        def delete(index: Index) -> list[Change]:
            if index.snapshot.get(item_id) is None and item_id not in index.set_aside:
                raise NotFoundError(f"there is no item {item_id!r}")
            changes = [Change(item_id, None)]
            self._write(index, changes)
            return changes

        return await self._change(delete)

    async def follow(
        self, told: Sequence[ToldChange], position: Position, *, show: bool = True
    ) -> None:
        """Take over changes of all replicas, as they were read in the stream up to a position.

        Args:
            show: False where more of them are known to follow.

        Raises :class:`JournalError` if they cannot be written, or cannot be shown yet.
        """

        def follow(index: Index) -> list[Change]:
            known = self._journal.name
            self._journal.follow(told, position)
            if show:
                index.catch_up(self._journal)
            return [one.change for one in told if one.origin != known]

        await self._change(follow, own=False)

    def _write(
        self,
        index: Index,
        changes: Sequence[Change],
        pictures: Sequence[tuple[NewItem, str]] = (),
    ) -> None:
        """Try changes, and only then write them; what cannot be shown is not acknowledged."""
        index.catch_up(self._journal)  # else what is missing would count as shown
        try:
            following = index.following(changes)
        except OSError as error:
            raise JournalError(
                f"the changes cannot be shown: {error}; make room in {index.bundle.folder.parent}"
            ) from error
        for change in changes:
            if change.id in following.set_aside:
                reason = following.set_aside[change.id]
                raise InvalidQueryError(f"the item {change.id!r} cannot be added: {reason}")
        for item, suffix in pictures:
            if item.image is not None:
                self._journal.keep_picture(item.image, suffix)
        self._journal.append(changes)
        index.show(following, self._journal)

    async def _change(
        self, make: Callable[[Index], list[Change]], *, own: bool = True
    ) -> ChangeAnswer:
        def work_on(index: Index) -> list[Change]:
            changes = make(index)
            self._lifecycle.tell_changes(index)
            return changes

        async with self._lifecycle.writing:
            index = self._lifecycle.current
            work = asyncio.ensure_future(asyncio.to_thread(work_on, index))
            try:
                # Not left half way where the client goes: what is in the journal has to be applied.
                changes = await asyncio.shield(work)
            finally:
                await asyncio.wait({work})  # nor does another write begin before
                if own:
                    self.written.set()
            for change in changes:
                metrics.CHANGES.labels("deleted" if change.entry is None else "added").inc()
            named = {change.id: change.entry.identifier for change in changes if change.entry}
            return ChangeAnswer(index_version=index.snapshot.version, identifiers=named)

    def _picture(self, index: Index, item: NewItem) -> tuple[str, Image.Image | None]:
        """The suffix of the file of an item's picture, and the picture as models see it; "" and
        None for a text."""
        if item.image is None:
            return "", None
        read = read_upload(item.image, self._max_image_pixels, index.bundle.side)
        return image_suffix(item.image), read.image


def _addition(index: Index, item: NewItem, suffix: str, picture: Image.Image | None) -> Change:
    bundle = index.bundle
    try:
        identifier = bundle.namer.name(item.kind, item.captions)
    except BundleError as error:
        raise InvalidQueryError(str(error)) from error
    vector = ""
    if bundle.vectors is not None:
        made = bundle.encoded(item.captions, picture)
        vector = base64.b64encode(made.tobytes()).decode()
    return Change(
        item.id,
        Entry(
            id=item.id,
            kind=item.kind,
            pair=item.pair or item.id,
            captions=tuple(item.captions),
            image="" if item.image is None else PictureFolder.name(item.image, suffix),
            metadata=item.metadata,
            identifier=identifier.text,
            clusters=bundle.manifest.clusters,
            vector=vector,
            guide=bundle.guide_fingerprint,
        ),
    )
