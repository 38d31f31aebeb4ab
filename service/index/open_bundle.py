"""A bundle, open for searching: nothing of it changes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pyroaring import BitMap

from semcore.bundle.bundle import ITEMS, MANIFEST, Manifest, check_bundle, read_manifest
from semcore.bundle.calibration import read_calibration
from semcore.bundle.canary import read_canary
from semcore.bundle.filter import Filter
from semcore.bundle.item import ADDED, Item, ItemStore
from semcore.bundle.picture_table import PICTURE_FILES, PictureTable
from semcore.bundle.stage import carry
from semcore.errors import BundleError
from semcore.guide.cells import Cells, cell_files
from semcore.guide.vectors import Quantised, VectorTable
from semcore.identifiers.clusters import read_cluster_words
from semcore.identifiers.tokens import IdentifierTokenizer, load_tokenizer
from semcore.kind import KINDS, Kind
from semcore.model.eyesight import side_seen
from semcore.model.fingerprint import check_model
from semcore.model.training_record import LearnedGsv
from semcore.pictures.picture_source import PictureSource, found_below
from semcore.trie.walk import file_names, load_walk
from service.beams.side import set_size
from service.cache.byte_cache import ByteCache
from service.index.filtered_sides import filter_key
from service.index.stored_postings import StoredPostings

if TYPE_CHECKING:
    from semcore.guide.guide import Guide
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
        model: folder of its model; None of a bundle that was not trained, which the guide alone
            searches.
        vectors: the guide's, of its items; None if it was built without.
        cells: the items that can be found, by kind; none in bundles of before.
        filter_bytes: of what filters leave, as far as that is kept.
        postings: of the fields of metadata.
    """

    def __init__(
        self,
        path: Path,
        image_root: str | Path | None = None,
        model: Path | None = None,
        picture_folders: Sequence[Path] = (),
        filter_bytes: int = FILTER_BYTES,
    ) -> None:
        """
        Args:
            image_root, model: in place of what the bundle says; the former a folder, or the URL
                of one.
            picture_folders: a journal's, looked into before the bundle's own.

        Raises:
            BundleError: the bundle is missing or damaged, has neither model nor guide, or there is
                no room.
            ModelError: its model is missing, or another one lies in its place.
        """
        self.path = path
        self.filter_bytes = filter_bytes
        self._passing: ByteCache[BitMap] = ByteCache(filter_bytes // 4)
        self._galleries: dict[Kind, BitMap] = {}
        with _own_folder(path) as self._own:
            self.folder = Path(self._own.name)
            self.manifest = _linked(path, self.folder)
            self.version = self.manifest.version
            self.model = self._model(model)
            self.vectors = VectorTable(self.folder) if self.manifest.guide else None
            self.cells = {
                kind: Cells.load(self.folder, kind)
                for kind in KINDS
                if cell_files(kind)[0] in self.manifest.files
            }
            if self.model is None and self.vectors is None:
                raise BundleError(
                    f"{path} has neither a model nor a guide; run 'semcore train' on it, or build "
                    "it with a guide"
                )
            self.calibration = read_calibration(self.folder)
            self.canary = read_canary(self.folder)
            self.image_root = image_root or self.manifest.corpus.image_root
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
            self.postings = StoredPostings(self.store, filter_bytes // 2)

    @property
    def model_fingerprint(self) -> str:
        """Empty for a bundle that was not trained."""
        return self.manifest.model.fingerprint if self.manifest.model else ""

    @property
    def gsv(self) -> LearnedGsv:
        """How the model has learned to verify."""
        return self.manifest.model.gsv if self.manifest.model else LearnedGsv()

    @property
    def guide_fingerprint(self) -> str:
        """Empty for a bundle without a guide."""
        return self.manifest.guide.fingerprint if self.manifest.guide else ""

    @property
    def fingerprints(self) -> tuple[str, str]:
        """Of the model and of the guide, which answers depend on."""
        return self.model_fingerprint, self.guide_fingerprint

    @cached_property
    def spelling(self) -> IdentifierTokenizer | None:
        """None of a bundle that was not trained: whatever a text says, it can be an identifier."""
        return None if self.model is None else IdentifierTokenizer(load_tokenizer(self.model))

    @cached_property
    def guide(self) -> Guide | None:
        """Encodes queries and new items; None of a bundle without a guide.

        Raises:
            BundleError: another encoder lies where the bundle's was.
            ModelError: the model's projection is damaged.
        """
        # It loads the encoder.
        from semcore.guide.guide import open_guide

        record = self.manifest.guide
        if record is None:
            return None
        guide = open_guide(record.encoder, self.model, record.picture_weight)
        if guide.fingerprint != record.fingerprint:
            raise BundleError(
                f"the vectors of {self.path} were made by another guide than "
                f"{record.encoder or 'the one installed'} is now; install that one, or build the "
                "bundle again"
            )
        return guide

    def in_gallery(self, kind: Kind) -> BitMap:
        """The numbers of the items of a kind that can be found; callers do not change them."""
        if kind not in self._galleries:
            if kind in self.cells:
                self._galleries[kind] = BitMap(self.cells[kind].items.astype(np.uint32))
            else:
                splits = self.manifest.settings.gallery
                found = (self.store.numbers(split, kind) for split in splits)
                self._galleries[kind] = BitMap.union(*(BitMap(list(numbers)) for numbers in found))
        return self._galleries[kind]

    @cached_property
    def side(self) -> int:
        """What the shorter side of a picture needs for the model, in pixels."""
        return side_seen(self.model)

    @cached_property
    def cluster_words(self) -> list[list[str]]:
        """What each cluster says, by Global ID."""
        return read_cluster_words(self.folder)

    @cached_property
    def namer(self) -> Namer:
        """Names new items. Raises :class:`BundleError` if only the offline job can."""
        # It loads the encoder, which only added items need.
        from semcore.guide.guide import loaded_encoder
        from semcore.identifiers.naming import Namer

        settings = self.manifest.settings
        return Namer(self.folder, settings, loaded_encoder(settings.encoder))

    def encoded(self, captions: Sequence[str], picture: Image.Image | None) -> Quantised:
        """The guide's vector of a new item (:func:`semcore.guide.item_vector.item_vector`).

        Raises what :attr:`guide` does.
        """
        from semcore.guide.item_vector import item_vector

        assert self.guide is not None
        return item_vector(self.guide, captions, picture)

    def picture_source(self, item: Item) -> PictureSource | None:
        """Where the picture of an item lies; None if it has none, or it is gone or lies outside of
        the root. What lies behind a URL is not looked for."""
        if item.split != ADDED:
            linked = self.manifest.corpus.linked
            return found_below(self.image_root, item.image, follow_links=linked)
        sources = (found_below(root, item.image) for root in self.added_roots)
        return next((one for one in sources if one is not None), None)

    def added_picture(self, name: str) -> Image.Image | None:
        """The picture of an item that was added; None if it has none, or it cannot be read."""
        from semcore.guide.item_vector import first_picture

        return first_picture(self.added_roots, name, self.side)

    def passing(self, wanted: Filter) -> BitMap:
        """The numbers of the items that pass a filter; callers do not change them."""
        key = filter_key(wanted)
        known = self._passing.get(key)
        if known is not None:
            return known[0]
        found = self.store.listed(wanted)
        self._passing.put(key, found, set_size(found) + len(key))
        return found

    def _model(self, elsewhere: Path | None) -> Path | None:
        """The folder of the model, which is the one that the bundle was made for."""
        record = self.manifest.model
        if record is None:
            return None
        model = elsewhere or record.folder(self.path)
        check_model(model, self.path, record.fingerprint, record.sample)
        return model

    def close(self) -> None:
        self.store.close()
        self.walks.clear()
        self.cells.clear()
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
                carry(bundle / name, folder / name)
            return check_bundle(folder)
        except (BundleError, OSError) as error:
            if read_manifest(bundle) == manifest:
                check_bundle(bundle)  # where a file of its own is missing, that is what to say
                if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                    raise
        for file in folder.iterdir():
            file.unlink()
    raise BundleError(f"{bundle} was replaced while it was opened; load it again")
