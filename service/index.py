"""One version of the index, open for searching, and the slot that holds the current one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from semcore.bundle import Manifest, check_bundle
from semcore.calibration import read_calibration
from semcore.errors import BundleError
from semcore.item import KINDS, Item, ItemStore, Kind
from semcore.layers import Layers
from semcore.picture_table import PICTURE_FILES, PictureTable
from semcore.walk import file_names
from service.layer_files import LayerFiles, open_layers


@dataclass(frozen=True, slots=True)
class Side:
    """The identifiers of one kind of item, and the files by which the engine knows them."""

    layers: Layers
    files: LayerFiles

    @classmethod
    def of(cls, stem: Path) -> Side:
        """Those of one walk, by the stem of its files."""
        files = ((str(stem), ""),)
        return cls(open_layers(files), files)


class Index:
    """A bundle, checked and mapped.

    The files are linked into a folder of the index's own, because the engine's process opens the
    walks when it first needs them, and the bundle may have been replaced by then.
    """

    def __init__(self, bundle: Path, image_root: Path | None = None) -> None:
        """Raises :class:`BundleError` if the bundle is missing, damaged or not trained."""
        self.manifest: Manifest = check_bundle(bundle)
        if self.manifest.model is None:
            raise BundleError(f"{bundle} has no model yet; run 'semcore train' on it")
        self.version = self.manifest.version
        self.model = self.manifest.model.folder(bundle)
        self.model_fingerprint = self.manifest.model.fingerprint
        self.calibration = read_calibration(bundle)
        self.image_root = image_root or Path(self.manifest.corpus.image_root)
        self._folder = Path(tempfile.mkdtemp(prefix="semcore-index-"))
        try:
            names = ["items.sqlite"]
            for kind in KINDS:
                walk = [n for n in file_names(kind) if n in self.manifest.files]
                names += walk
            names += [name for name in PICTURE_FILES if name in self.manifest.files]
            for name in names:
                _link(bundle / name, self._folder / name)
            self._sides = {
                kind: Side.of(self._folder / kind)
                for kind in KINDS
                if file_names(kind)[0] in self.manifest.files
            }
            self.pictures = PictureTable(self._folder) if PICTURE_FILES[0] in names else None
            self.store = ItemStore(self._folder / "items.sqlite", self.manifest.settings.gallery)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def side(self, kind: Kind) -> Side | None:
        """The identifiers of a kind of item; None if the index has no such items."""
        return self._sides.get(kind)

    def image_path(self, item: Item) -> Path | None:
        """Where the picture of an item lies; None if it is gone or lies outside of the root."""
        path = (self.image_root / item.image).resolve()
        if item.image and path.is_file() and path.is_relative_to(self.image_root.resolve()):
            return path
        return None

    def close(self) -> None:
        self.store.close()
        self._sides.clear()
        shutil.rmtree(self._folder, ignore_errors=True)


class IndexSlot:
    """The current index. A search leases the version it began with; the last one out closes it."""

    def __init__(self, index: Index) -> None:
        self._current = index
        self._leases = {index: 0}

    @property
    def current(self) -> Index:
        return self._current

    @contextmanager
    def lease(self) -> Iterator[Index]:
        index = self._current
        self._leases[index] += 1
        try:
            yield index
        finally:
            self._leases[index] -= 1
            self._close_if_unused(index)

    def replace(self, index: Index) -> None:
        """Make ``index`` the current one; searches under way finish on the one before."""
        before, self._current = self._current, index
        self._leases[index] = 0
        self._close_if_unused(before)

    def close(self) -> None:
        for index in self._leases:
            index.close()

    def _close_if_unused(self, index: Index) -> None:
        if index is not self._current and self._leases[index] == 0:
            del self._leases[index]
            index.close()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
