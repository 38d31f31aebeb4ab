"""The index bundle: the one folder in which the offline job and the service meet.

::

    manifest.json         what is inside, from what it was made, checksums of all files below
    items.sqlite          the items with their identifiers
    image.marisa, text.marisa   the identifiers of each kind of item
    centroids.npy, clusters.json, frequencies.json   what new items are given identifiers with
    tokens.json           the tokens that a model needs for the identifiers, beside words
    vectors.npy           the guide's vectors of the items, unless it is built without
    captions.npy          the same of captions alone, where a trained model put pictures in
    image.cells.*.npy, text.cells.*.npy     the items by cluster and keyword, with their means
    image.*.npy, text.*.npy     the walks over the tokens of the model, once one is trained
    pictures.npy, pictures.ids.npy   visual tokens, of a model that sees by a frozen encoder
    calibration.json      how candidates are judged, once that was measured
    canary.json           searches with what they should find, asked before indexes are swapped
    report.json           bad rows and collisions
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semcore.bundle.item import ADDED, Item
from semcore.bundle.stage import appears, put, stage_for
from semcore.clock import Clock
from semcore.errors import BundleError
from semcore.file_name import FileName
from semcore.model.training_record import LearnedGsv
from semcore.pictures.picture_source import PictureSource, picture_source

FORMAT_VERSION = 10
_READABLE = (7, 8, 9, FORMAT_VERSION)
"""Format 7 knew of changes by one journal only, format 8 of no guide, format 9 of one form of
verification."""
MANIFEST = "manifest.json"
ITEMS = "items.sqlite"
TOKENS = "tokens.json"
REPORT = "report.json"
CALIBRATION = "calibration.json"
CLUSTER_FILES = ("centroids.npy", "clusters.json", "frequencies.json")


Order = Literal["relevance", "rarest", "commonest"]
"""Of keywords: as KeyBERT has them, or by how many documents of the corpus have the word."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CorpusRecord(_Record):
    """Where the items came from. Item images lie below ``image_root``, a folder or the URL of one,
    those of items that were added later below the folder ``added_root``. ``linked``: images may be
    links that lead out of their root."""

    name: str
    fingerprint: str
    image_root: str
    held_out_rule: str
    source_captions: int = 2
    added_root: str = ""
    linked: bool = False

    def picture_source(self, item: Item) -> PictureSource:
        """Where the picture of an item should lie."""
        if item.split == ADDED:
            return Path(self.added_root) / item.image
        return picture_source(self.image_root, item.image)


class SettingsRecord(_Record):
    """What the identifiers were made with; ``gallery`` names the splits that can be found."""

    clusters: int
    keywords: int
    cluster_words: int
    encoder: str
    seed: int
    gallery: tuple[str, ...]
    scheme: str = "sid"
    views: int = 1
    image_order: Order = "rarest"
    text_order: Order = "commonest"


class ModelRecord(_Record):
    """The model whose tokens the walks are made of; ``path`` may be relative to the bundle.

    ``sample``: see :func:`semcore.model.fingerprint.model_sample`; empty in earlier bundles.
    ``gsv``: how it has learned to verify.
    """

    path: str
    fingerprint: str
    sample: str = ""
    gsv: LearnedGsv = LearnedGsv()

    def folder(self, bundle: Path) -> Path:
        """Where the model of the bundle at ``bundle`` lies."""
        return (bundle / self.path).resolve()


class GuideRecord(_Record):
    """The dual encoder that the vectors of the items are made by.

    Attributes:
        encoder: path or hub name of a sentence-transformers model; "" is the one installed.
        fingerprint: see :class:`semcore.guide.guide.Guide`.
        picture_weight: of a picture's look beside the 1 of its captions; 0: captions alone.
    """

    encoder: str
    fingerprint: str
    picture_weight: float


class JournalRecord(_Record):
    """Up to which change of which journal a bundle of format 7 holds what has changed."""

    name: str
    last: int


class FileRecord(_Record):
    size: int = Field(description="bytes")
    sha256: str


class Manifest(_Record):
    format_version: int = FORMAT_VERSION
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    corpus: CorpusRecord
    settings: SettingsRecord
    counts: dict[str, int]
    model: ModelRecord | None = None
    guide: GuideRecord | None = None
    journal: JournalRecord | None = None
    clock: Clock | None = None
    set_aside: tuple[str, ...] = Field(
        default=(), description="items whose changes could not be put into the bundle"
    )
    files: dict[FileName, FileRecord] = {}
    seal: str = ""

    def sealed(self) -> Manifest:
        """The same, with the checksum of all that it says."""
        whole = Manifest.model_validate_json(self.model_dump_json())
        return whole.model_copy(update={"seal": whole._digest()})

    @property
    def is_sound(self) -> bool:
        """Whether it says what it was sealed with."""
        return self.seal == self._digest()

    @property
    def held(self) -> Clock:
        """Which changes of items the bundle holds."""
        if self.clock is not None:
            return self.clock
        journals = {} if self.journal is None else {self.journal.name: self.journal.last}
        return Clock(journals=journals)

    @property
    def clusters(self) -> str:
        """What tells the clusters from those of another bundle."""
        content = "".join(self.files[name].sha256 for name in CLUSTER_FILES if name in self.files)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    @property
    def version(self) -> str:
        """Twelve hex digits that change with any file of the bundle, the model and the guide."""
        content = [f"{name}:{file.sha256}" for name, file in sorted(self.files.items())]
        content.append(self.model.fingerprint if self.model else "")
        content += [self.guide.fingerprint] if self.guide else []
        return hashlib.sha256("\n".join(content).encode()).hexdigest()[:12]

    def _digest(self) -> str:
        # Of what stands in the file: one that is older lacks what has come since.
        content = self.model_dump_json(exclude={"seal"}, exclude_unset=True)
        return hashlib.sha256(content.encode()).hexdigest()


@contextmanager
def staged(out: Path, manifest: Manifest) -> Iterator[Path]:
    """A new folder to fill, which becomes the bundle ``out`` if the block ends without an error.

    The checksums are taken, and everything is flushed to disk before the folder takes its name, so
    that ``out`` never holds half a bundle. An older bundle at ``out`` is replaced; a service that
    has its files mapped keeps them.

    Raises what :func:`check_place` raises.
    """
    out = out.absolute()
    check_place(out)
    with stage_for(out) as stage:
        yield stage
        files = {path.name: _record(path) for path in sorted(stage.iterdir())}
        sealed = manifest.model_copy(update={"files": files}).sealed()
        (stage / MANIFEST).write_text(sealed.model_dump_json(indent=2) + "\n")
        put(stage, out)


def check_place(out: Path) -> None:
    """Raises :class:`BundleError` if something that is no bundle lies where one is to be."""
    if not may_replace(out, MANIFEST):
        raise BundleError(f"{out} is no bundle, and would be lost; name another place for it")


def may_replace(path: Path, mark: str) -> bool:
    """Whether nothing else would be lost at ``path`` than a folder with a file like ``mark``."""
    empty = path.is_dir() and not any(path.iterdir())
    return empty or not path.exists() or any(path.glob(mark))


def read_manifest(path: Path) -> Manifest:
    """The manifest of a bundle, without a look at the other files.

    Raises :class:`BundleError` if there is none, or one of another format.
    """
    file = path / MANIFEST
    try:
        manifest = Manifest.model_validate_json(_content(file))
    except OSError as error:
        raise BundleError(
            f"{path} is no bundle: {MANIFEST} cannot be read; make one with 'semcore build'"
        ) from error
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BundleError(f"{file} is damaged ({said}); build the bundle again") from error
    if manifest.format_version in _READABLE and not manifest.is_sound:
        raise BundleError(f"{file} is damaged; build the bundle again")
    if manifest.format_version not in _READABLE:
        raise BundleError(
            f"{path} has format {manifest.format_version} and this program reads "
            f"{FORMAT_VERSION}; build the bundle again"
        )
    return manifest


def check_bundle(path: Path) -> Manifest:
    """The manifest, after each file's size and checksum were found to be as it says.

    Raises :class:`BundleError` that names the first missing or damaged file.
    """
    manifest = read_manifest(path)
    for name, record in manifest.files.items():
        file = path / name
        if not file.is_file():
            raise BundleError(f"{file} is missing; build the bundle again")
        if file.stat().st_size != record.size or _record(file) != record:
            raise BundleError(f"{file} is damaged; build the bundle again")
    return manifest


def _content(manifest: Path) -> bytes:
    try:
        return manifest.read_bytes()
    except FileNotFoundError:
        if not appears(manifest.parent):
            raise
        return manifest.read_bytes()


def _record(path: Path) -> FileRecord:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return FileRecord(size=path.stat().st_size, sha256=digest.hexdigest())
