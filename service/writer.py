"""The living corpus: items added, replaced and deleted while the index serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from semcore.errors import BundleError
from semcore.journal import Change, Entry, Journal
from semcore.walk import MOST_TOKENS
from service import metrics
from service.admin import ChangeAnswer, NewItem
from service.errors import InvalidQueryError, NotFoundError
from service.index import Index
from service.lifecycle import Lifecycle
from service.upload import image_suffix, read_upload


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
            RequestError: a picture is none, two items have the same id, or items of such a bundle
                are named by the offline job only.
            JournalError: the journal cannot be written.
        """
        if len({item.id for item in items}) < len(items):
            raise InvalidQueryError("two of the items have the same id")
        return await self._write(lambda index: [self._addition(index, item) for item in items])

    async def delete(self, item_id: str) -> ChangeAnswer:
        """Raises :class:`NotFoundError` if there is no such item, :class:`JournalError` if the
        journal cannot be written."""
        return await self._write(lambda index: [_deletion(index, item_id)])

    async def follow(self, changes: Sequence[Change], place: str) -> None:
        """Apply changes of replicas, read up to ``place``. Raises :class:`JournalError`.

        Items with changes that the others were not told yet are left out: those come later in the
        order that all follow.
        """

        def earlier(_: Index) -> list[Change]:
            untold = self._journal.untold_ids()
            return [change for change in changes if change.id not in untold]

        await self._write(earlier, place)

    async def _write(
        self, make: Callable[[Index], list[Change]], place: str | None = None
    ) -> ChangeAnswer:
        def write(index: Index) -> list[Change]:
            changes = make(index)
            self._journal.append(changes, place)
            index.catch_up(self._journal)
            return changes

        async with self._lifecycle.writing:
            index = self._lifecycle.current
            work = asyncio.ensure_future(asyncio.to_thread(write, index))
            try:
                # Not left half way where the client goes: what is in the journal has to be applied.
                changes = await asyncio.shield(work)
            finally:
                await asyncio.wait({work})  # nor does another write begin before
                if place is None:  # the others are told also where it cannot be shown here
                    self.written.set()
            for change in changes:
                metrics.CHANGES.labels("deleted" if change.entry is None else "added").inc()
            named = {change.id: change.entry.identifier for change in changes if change.entry}
            return ChangeAnswer(index_version=index.snapshot.version, identifiers=named)

    def _addition(self, index: Index, item: NewItem) -> Change:
        image = ""
        if item.image is not None:
            read_upload(item.image, self._max_image_pixels)
            image = self._journal.keep_picture(item.image, image_suffix(item.image))
        try:
            identifier = index.namer.name(item.kind, item.captions)
        except BundleError as error:
            raise InvalidQueryError(str(error)) from error
        if len(index.spelling.tokens(identifier)) > MOST_TOKENS:
            raise InvalidQueryError(f"the keywords of {item.id!r} have too many tokens")
        return Change(
            item.id,
            Entry(
                id=item.id,
                kind=item.kind,
                pair=item.pair or item.id,
                captions=tuple(item.captions),
                image=image,
                metadata=item.metadata,
                identifier=identifier.text,
                clusters=index.manifest.clusters,
            ),
        )


def _deletion(index: Index, item_id: str) -> Change:
    if index.snapshot.get(item_id) is None:
        raise NotFoundError(f"there is no item {item_id!r}")
    return Change(item_id, None)
