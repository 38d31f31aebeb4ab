"""A bundle, open for searching: nothing of it changes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pyroaring import BitMap

from semcore.bundle.bundle import ITEMS, MANIFEST, Manifest, check_bundle, read_manifest
from semcore.bundle.calibration import read_calibration
from semcore.bundle.canary import read_canary
from semcore.bundle.filter import Filter
from semcore.bundle.item import ItemStore
from semcore.bundle.picture_table import PICTURE_FILES, PictureTable
from semcore.errors import BundleError
from semcore.identifiers.clusters import read_cluster_words
from semcore.identifiers.tokens import IdentifierTokenizer, load_tokenizer
from semcore.kind import KINDS
from semcore.model.fingerprint import check_model
from semcore.trie.walk import file_names, load_walk
from service.beams.side import set_size
from service.cache.byte_cache import ByteCache
from service.index.filtered_sides import filter_key

if TYPE_CHECKING:
    from semcore.identifiers.naming import Namer

FILTER_BYTES = 100_000_000
_TRIES = 5


class OpenBundle:
    """A bundle, checked and mapped.

    The files are linked into a folder of its own, and checked there, because the engine's process
    opens the walks when it first needs them, and the bundle may have been replaced by then.

    Attributes:
        path: where the bundle lay when it was opened.
        folder: where its files are linked.
        added_roots: folders of the pictures of items that were added.
        count: how many items it has.
        filter_bytes: of what filters leave, as far as that is kept.
    """

    def __init__(
        self,
        path: Path,
        image_root: Path | None = None,
        model: Path | None = None,
        picture_folders: Sequence[Path] = (),
        filter_bytes: int = FILTER_BYTES,
    ) -> None:
        """
        Args:
            image_root, model: in place of what the bundle says.
            picture_folders: a journal's, looked into before the bundle's own.

        Raises:
            BundleError: the bundle is missing, damaged or not trained, or there is no room.
            ModelError: its model is missing, or another one lies in its place.
        """
        self.path = path
        self.filter_bytes = filter_bytes
        self._passing: ByteCache[BitMap] = ByteCache(filter_bytes // 4)
        with _own_folder(path) as self._own:
            self.folder = Path(self._own.name)
            self.manifest = _linked(path, self.folder)
            if self.manifest.model is None:
                raise BundleError(f"{path} has no model yet; run 'semcore train' on it")
            self.version = self.manifest.version
            record = self.manifest.model
            self.model = model or record.folder(path)
            check_model(self.model, path, record.fingerprint, record.sample)
            self.model_fingerprint = record.fingerprint
            self.calibration = read_calibration(self.folder)
            self.canary = read_canary(self.folder)
            self.image_root = image_root or Path(self.manifest.corpus.image_root)
            added = self.manifest.corpus.added_root
            self.added_roots = [*picture_folders, *([Path(added)] if added else [])]
            self.walks = {
                kind: load_walk(self.folder / kind)
                for kind in KINDS
                if file_names(kind)[0] in self.manifest.files
            }
            has_pictures = PICTURE_FILES[0] in self.manifest.files
            self.pictures = PictureTable(self.folder) if has_pictures else None
            self.store = ItemStore(self.folder / ITEMS, self.manifest.settings.gallery)
            self.count = len(self.store)

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
        # It loads the encoder, which only added items need.
        from semcore.identifiers.naming import Namer

        return Namer(self.folder, self.manifest.settings)

    def passing(self, wanted: Filter) -> BitMap:
        """The numbers of the items that pass a filter; callers do not change them."""
        key = filter_key(wanted)
        known = self._passing.get(key)
        if known is not None:
            return known[0]
        found = self.store.listed(wanted)
        self._passing.put(key, found, set_size(found) + len(key))
        return found

    def close(self) -> None:
        self.store.close()
        self.walks.clear()
        self._own.cleanup()


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
