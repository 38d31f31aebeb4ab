"""One version of the index: a bundle, open for searching, with the changes made to it since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from semcore.bundle.item import Item
from semcore.clock import Clock, entry_of, short
from semcore.errors import JournalError, SemcoreError
from semcore.guide.vectors import Quantised
from semcore.journal.change import Change, Entry
from semcore.journal.journal import Journal
from service.index.open_bundle import FILTER_BYTES, OpenBundle
from service.index.snapshot import Snapshot


class Index:
    """An open bundle, and what of it and of the journal can be found.

    Attributes:
        snapshot: what can be found now.
        held: the changes of items that the bundle holds.
        applied: number of the last change of the journal that the snapshot shows.
        set_aside: why changes of items cannot be shown, by id.
    """

    def __init__(
        self,
        bundle: Path,
        journal: Journal | None = None,
        image_root: str | Path | None = None,
        model: Path | None = None,
        filter_bytes: int = FILTER_BYTES,
    ) -> None:
        """
        Args:
            journal: changes that are applied as far as the bundle does not hold them.
            image_root, model: in place of what the bundle says; the former a folder, or the URL
                of one.
            filter_bytes: of what filters leave, as far as that is kept.

        Raises:
            BundleError: as :class:`OpenBundle`, or the bundle lacks changes that the journal does
                not have either.
            ModelError: its model is missing, or another one lies in its place.
            JournalError: the journal cannot be read.
        """
        folders = () if journal is None else journal.picture_folders
        self.bundle = OpenBundle(bundle, image_root, model, folders, filter_bytes)
        self._next = self.bundle.count
        self.snapshot = Snapshot(self.bundle, self.bundle.version, {}, None, {})
        self.held = self.bundle.manifest.held
        self.applied = 0
        self.set_aside: dict[str, str] = {}
        try:
            if journal is not None:
                journal.check(self.held)
                self.catch_up(journal)
        except BaseException:
            self.bundle.close()
            raise

    def catch_up(self, journal: Journal) -> None:
        """Show the changes that came to the journal since, all at once. Those that cannot be shown
        are set aside.

        Raises :class:`JournalError` if there is no room for the files of the walk.
        """
        last = journal.last
        again = () if self.applied else self.bundle.manifest.set_aside
        changes = journal.changes(self.held, self.applied, again) if last > self.applied else []
        if not changes and self._version(journal) == self.snapshot.version:
            self.applied = last
            return
        try:
            following = self.following(changes)
        except OSError as error:
            raise JournalError(
                f"the changes are in the journal, but cannot be shown yet: {error}; make room in "
                f"{self.bundle.folder.parent}"
            ) from error
        self.show(following, journal)

    def following(self, changes: Sequence[Change]) -> Following:
        """The snapshot that would follow, where nobody sees it yet.

        Raises ``OSError`` if there is no room for the files of the walk.
        """
        added, vectors = dict(self.snapshot.added), dict(self.snapshot.vectors)
        numbers = {item.id: number for number, item in added.items()}
        set_aside = dict(self.set_aside)
        deleted: set[int] = set()
        following = self._next
        for change in changes:
            set_aside.pop(change.id, None)
            if change.id in numbers:
                del added[numbers[change.id]]
            stored = self.bundle.store.number(change.id)
            if stored is not None:
                deleted.add(stored)
            if change.entry is not None:
                try:
                    added[following] = self._named(change.entry)
                    if self.bundle.vectors is not None:
                        vectors[following] = self._vector(change.entry)
                    following += 1
                except (SemcoreError, ValueError) as error:
                    set_aside[change.id] = str(error)
        vectors = {number: vector for number, vector in vectors.items() if number in added}
        snapshot = self.snapshot.changed(self.snapshot.version, deleted, added, vectors)
        return Following(snapshot, following, set_aside)

    def show(self, following: Following, journal: Journal) -> None:
        """Let a snapshot that was prepared be found, once its changes are in the journal."""
        following.snapshot.version = self._version(journal)
        self.snapshot, self._next = following.snapshot, following.next_number
        self.set_aside, self.applied = following.set_aside, journal.last

    def close(self) -> None:
        self.bundle.close()

    def _named(self, entry: Entry) -> Item:
        """The item of an entry, which the model can spell."""
        item = entry.item_for(
            self.bundle.manifest.clusters, lambda *asked: self.bundle.namer.name(*asked)
        )
        if self.bundle.spelling is not None:
            self.bundle.spelling.check(item.identifier)
        return item

    def _vector(self, entry: Entry) -> Quantised:
        """The guide's vector of an entry's item, int8 [dimension]."""
        return entry.vector_for(
            self.bundle.guide_fingerprint,
            lambda one: self.bundle.encoded(one.captions, self.bundle.added_picture(one.image)),
        )

    def _version(self, journal: Journal) -> str:
        """The same wherever the same items can be found by the same bundle: it names what the
        journal has beyond the bundle by the clock that all replicas share."""
        started = [p for p in journal.read.positions if entry_of(p) != entry_of("")]
        version = self.bundle.version
        if started and not self.held.covers(Clock.at(started[-1:])):
            version += f"+{short(started[-1])}"
        own = journal.unsettled(self.held)
        return f"{version}+{journal.name}-{own}" if own else version


@dataclass(frozen=True, slots=True)
class Following:
    """A snapshot that nobody sees yet.

    Attributes:
        next_number: of the item that is added next.
        set_aside: why changes cannot be shown, by the id of their item.
    """

    snapshot: Snapshot
    next_number: int
    set_aside: dict[str, str]


class IndexSlot:
    """The current index and the one before it. A search leases the version it began with; the last
    one out closes it, unless it is one of the two."""

    def __init__(self, index: Index) -> None:
        self.current = index
        self.previous: Index | None = None
        self._leases = {index: 0}

    @contextmanager
    def lease(self) -> Iterator[Index]:
        index = self.current
        self._leases[index] += 1
        try:
            yield index
        finally:
            self._leases[index] -= 1
            self._close_if_unused(index)

    def replace(self, index: Index) -> None:
        """Make ``index`` the current one; searches under way finish on the one before."""
        retired, self.previous, self.current = self.previous, self.current, index
        self._leases.setdefault(index, 0)
        if retired is not None:
            self._close_if_unused(retired)

    def close(self) -> None:
        for index in self._leases:
            index.close()

    def _close_if_unused(self, index: Index) -> None:
        if index not in (self.current, self.previous) and self._leases.get(index) == 0:
            del self._leases[index]
            index.close()
