"""One version of the index: a bundle, open for searching, with the changes made to it since."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pyroaring import BitMap

from semcore.bundle.bundle import ITEMS, MANIFEST, Manifest, check_bundle, read_manifest
from semcore.bundle.calibration import read_calibration
from semcore.bundle.canary import read_canary
from semcore.bundle.filter import Filter
from semcore.bundle.item import KINDS, Item, ItemStore
from semcore.bundle.picture_table import PICTURE_FILES, PictureTable
from semcore.clock import Clock, entry_of, short
from semcore.errors import BundleError, JournalError, SemcoreError
from semcore.identifiers.clusters import read_cluster_words
from semcore.identifiers.tokens import IdentifierTokenizer, load_tokenizer
from semcore.journal.change import Change, Entry
from semcore.journal.journal import Journal
from semcore.model.fingerprint import check_model
from semcore.trie.walk import file_names, load_walk
from service.cache.byte_cache import ByteCache
from service.index.filtered_sides import filter_key
from service.index.snapshot import Snapshot, set_size

if TYPE_CHECKING:
    from semcore.identifiers.naming import Namer

_TRIES = 5


class Index:
    """A bundle, checked and mapped.

    The files are linked into a folder of the index's own, and checked there, because the engine's
    process opens the walks when it first needs them, and the bundle may have been replaced by then.

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
        image_root: Path | None = None,
        model: Path | None = None,
        filter_bytes: int = 100_000_000,
    ) -> None:
        """
        Args:
            journal: changes that are applied as far as the bundle does not hold them.
            image_root, model: in place of what the bundle says.
            filter_bytes: of what filters leave, as far as that is kept.

        Raises:
            BundleError: the bundle is missing, damaged or not trained, there is no room, or it
                lacks changes that the journal does not have either.
            ModelError: its model is missing, or another one lies in its place.
            JournalError: the journal cannot be read.
        """
        self.bundle = bundle
        self.filter_bytes = filter_bytes
        self._passing: ByteCache[BitMap] = ByteCache(filter_bytes // 4)
        with _own_folder(bundle) as self._own:
            self.folder = Path(self._own.name)
            self.manifest = _linked(bundle, self.folder)
            if self.manifest.model is None:
                raise BundleError(f"{bundle} has no model yet; run 'semcore train' on it")
            self.version = self.manifest.version
            record = self.manifest.model
            self.model = model or record.folder(bundle)
            check_model(self.model, bundle, record.fingerprint, record.sample)
            self.model_fingerprint = record.fingerprint
            self.calibration = read_calibration(self.folder)
            self.canary = read_canary(self.folder)
            self.image_root = image_root or Path(self.manifest.corpus.image_root)
            added = self.manifest.corpus.added_root
            #: Where pictures of items that were added lie: the journal's own, the compacted one's.
            self.added_roots = [Path(added)] if added else []
            if journal is not None:
                self.added_roots[:0] = journal.picture_folders
            self.walks = {
                kind: load_walk(self.folder / kind)
                for kind in KINDS
                if file_names(kind)[0] in self.manifest.files
            }
            has_pictures = PICTURE_FILES[0] in self.manifest.files
            self.pictures = PictureTable(self.folder) if has_pictures else None
            self.store = ItemStore(self.folder / ITEMS, self.manifest.settings.gallery)
            self.count = self._next = len(self.store)
            self.snapshot = Snapshot(self, self.version, {}, None, {})
            self.held = self.manifest.held
            self.applied = 0
            self.set_aside: dict[str, str] = {}
            if journal is not None:
                journal.check(self.held)
                self.catch_up(journal)

    @cached_property
    def spelling(self) -> IdentifierTokenizer:
        return IdentifierTokenizer(load_tokenizer(self.model))

    @cached_property
    def cluster_words(self) -> list[list[str]]:
        """What each cluster says, by Global ID."""
        return read_cluster_words(self.folder)

    @cached_property
    def namer(self) -> Namer:
        """Names new items. Raises :class:`BundleError` if only the offline job can."""
        from semcore.identifiers.naming import (
            Namer,  # the encoder is loaded for the first item that is added
        )

        return Namer(self.folder, self.manifest.settings)

    def passing(self, wanted: Filter) -> BitMap:
        """The numbers of the bundle's items that pass a filter; they stay the same whatever is
        added or deleted, and are not to be changed."""
        key = filter_key(wanted)
        known = self._passing.get(key)
        if known is not None:
            return known[0]
        found = self.store.listed(wanted)
        self._passing.put(key, found, set_size(found) + len(key))
        return found

    def catch_up(self, journal: Journal) -> None:
        """Show the changes that came to the journal since, all at once. Those that cannot be shown
        are set aside.

        Raises :class:`JournalError` if there is no room for the files of the walk.
        """
        last = journal.last
        again = () if self.applied else self.manifest.set_aside
        changes = journal.changes(self.held, self.applied, again) if last > self.applied else []
        if not changes and self._version(journal) == self.snapshot.version:
            self.applied = last
            return
        try:
            following = self.following(changes)
        except OSError as error:
            raise JournalError(
                f"the changes are in the journal, but cannot be shown yet: {error}; make room in "
                f"{self.folder.parent}"
            ) from error
        self.show(following, journal)

    def following(self, changes: Sequence[Change]) -> Following:
        """The snapshot that would follow, where nobody sees it yet.

        Raises ``OSError`` if there is no room for the files of the walk.
        """
        added = dict(self.snapshot.added)
        numbers = {item.id: number for number, item in added.items()}
        set_aside = dict(self.set_aside)
        deleted: set[int] = set()
        following = self._next
        for change in changes:
            set_aside.pop(change.id, None)
            if change.id in numbers:
                del added[numbers[change.id]]
            stored = self.store.number(change.id)
            if stored is not None:
                deleted.add(stored)
            if change.entry is not None:
                try:
                    added[following] = self._named(change.entry)
                    following += 1
                except (SemcoreError, ValueError) as error:
                    set_aside[change.id] = str(error)
        snapshot = self.snapshot.changed(self.snapshot.version, deleted, added)
        return Following(snapshot, following, set_aside)

    def show(self, following: Following, journal: Journal) -> None:
        """Let a snapshot that was prepared be found, once its changes are in the journal."""
        following.snapshot.version = self._version(journal)
        self.snapshot, self._next = following.snapshot, following.next_number
        self.set_aside, self.applied = following.set_aside, journal.last

    def close(self) -> None:
        self.store.close()
        self.walks.clear()
        del self.snapshot  # which holds this: a circle that may be out of the collector's sight
        self._own.cleanup()

    def _named(self, entry: Entry) -> Item:
        """The item of an entry, which the model can spell."""
        item = entry.item_for(self.manifest.clusters, lambda *asked: self.namer.name(*asked))
        self.spelling.check(item.identifier)
        return item

    def _version(self, journal: Journal) -> str:
        """The same wherever the same items can be found by the same bundle: it names what the
        journal has beyond the bundle by the clock that all replicas share."""
        started = [p for p in journal.read.positions if entry_of(p) != entry_of("")]
        version = self.version
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


@contextmanager
def _own_folder(bundle: Path) -> Iterator[tempfile.TemporaryDirectory[str]]:
    """A new folder, which stays unless opening the bundle in it fails; at the latest, it goes with
    the process."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="semcore-index-", ignore_cleanup_errors=True)
        try:
            yield folder
        except BaseException:
            folder.cleanup()
            raise
    except OSError as error:
        raise BundleError(
            f"{bundle} cannot be opened ({error}); make room for temporary files, and load it again"
        ) from error


def _linked(bundle: Path, folder: Path) -> Manifest:
    """Link a bundle's files, and check what was linked; anew where it was replaced meanwhile."""
    for _ in range(_TRIES):
        manifest = read_manifest(bundle)
        try:
            for name in (MANIFEST, *manifest.files):
                _link(bundle / name, folder / name)
            return check_bundle(folder)
        except (BundleError, OSError) as error:
            if read_manifest(bundle) == manifest:
                check_bundle(bundle)  # where a file of its own is missing, that is what to say
                if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                    raise
        for file in folder.iterdir():
            file.unlink()
    raise BundleError(f"{bundle} was replaced while it was opened; load it again")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
