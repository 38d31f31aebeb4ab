"""Corpora: pictures with captions and splits, read from the layouts that people have.

Three layouts are read:

* JSON lines, one picture a line:
  ``{"image": "a.jpg", "captions": ["…"], "split": "train", "id": "a", "metadata": {"year": 1990}}``
  (``caption`` for a single one; ``split``, ``id`` and ``metadata`` may be left out);
* Karpathy's JSON, as in ``dataset_flickr30k.json`` and ``dataset_coco.json``;
* a bare folder of pictures, whose captions come from the captioner.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from offline.progress import progress
from semcore.bundle.filter import Metadata, MetadataFields
from semcore.errors import CorpusError, PictureError
from semcore.model.prompt import TOLD_WORDS, excerpt
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_format import NAMES, SUFFIXES
from semcore.text import one_line

CAPTIONS_FILE = "captions.jsonl"
SPLITS = ("train", "val", "test")
SOURCE_CAPTIONS = 2
_LONGEST = 10_000  # characters of a caption, as of one that is added later
_CHECKED = 32  # pixels of the shorter side: a JPEG is then decoded at an eighth of its size


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture. ``image`` is its path below the corpus's image root; ``metadata`` are also those
    of its texts."""

    id: str
    image: str
    split: str
    captions: tuple[str, ...]
    generated: str = ""
    source_captions: int = SOURCE_CAPTIONS
    metadata: Metadata = field(default_factory=dict, hash=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The captions that the picture's identifier is made of (:func:`held_out_rule`)."""
        if self.generated:
            return (self.generated,)
        return self.captions[: max(1, min(self.source_captions, len(self.captions) - 1))]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row with a fault: its line (JSON lines) or place from 1 (other layouts), and what it is."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Attributes:
    bad_rows: those that were left out.
    long_rows: those that stayed, with captions that are longer than what is used of them.
    passed_over: of a bare folder, what is no picture by its name, a sentence for each suffix.
    """

    name: str
    image_root: Path
    pictures: list[Picture]
    bad_rows: list[BadRow]
    source_captions: int = SOURCE_CAPTIONS
    long_rows: list[BadRow] = field(default_factory=list)
    passed_over: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all rows, in hex; pictures count by path, not by content."""
        digest = hashlib.sha256()
        for picture in self.pictures:
            digest.update(repr(picture).encode())
        return digest.hexdigest()


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    image: str = Field(min_length=1)
    captions: list[str] = []
    caption: str | None = None
    split: str = "train"
    id: str | None = None
    metadata: MetadataFields = {}


def text_id(picture_id: str, number: int) -> str:
    """The id of one of a picture's captions."""
    return f"{picture_id}#{number}"


def held_out_rule(source_captions: int) -> str:
    """Which captions are fair queries, in words that a bundle carries."""
    return (
        f"The identifier of a picture is made of its first {source_captions} captions (of all but "
        "one where there are no more than that); its other captions are held out, and only those "
        "are queries in tests. A generated caption is the only source where there is one."
    )


def read_corpus(
    path: Path, *, strict: bool = False, source_captions: int = SOURCE_CAPTIONS
) -> Corpus:
    """Read a corpus; bad rows are left out and listed.

    Args:
        path: a JSON-lines or Karpathy file, or a folder with ``captions.jsonl`` or
            ``dataset*.json`` in it, or a bare folder of pictures.
        strict: stop at bad rows.
        source_captions: how many captions of a picture its identifier is made of.

    Raises:
        CorpusError: nothing readable at ``path``, no good row, or a bad row under ``strict``.
    """
    source = _find(path)
    folder = source if source.is_dir() else source.parent
    pictures: list[Picture] = []
    bad: list[BadRow] = []
    long: list[BadRow] = []
    seen: set[str] = set()
    lines: list[int] = []
    with ThreadPoolExecutor() as pool:
        parsed = progress(list(_rows(source)), "reading the corpus")
        for line, picture, fault in pool.map(lambda entry: _checked(entry, folder), parsed):
            if picture is None:
                bad.append(BadRow(line, fault))
            elif picture.id in seen:
                bad.append(BadRow(line, f"the id {picture.id!r} stands twice"))
            else:
                seen.add(picture.id)
                lines.append(line)
                if fault:
                    long.append(BadRow(line, fault))
                pictures.append(replace(picture, source_captions=source_captions))
    captions = _caption_ids(pictures)
    bad += [
        BadRow(line, f"the id {picture.id!r} is that of a caption of another picture")
        for line, picture in zip(lines, pictures, strict=True)
        if picture.id in captions
    ]
    bad.sort(key=lambda row: row.line)
    pictures = [picture for picture in pictures if picture.id not in captions]
    if strict and bad:
        raise CorpusError(
            f"{source} has {len(bad)} bad rows, the first at {bad[0].line}: {bad[0].reason}; "
            "mend them or leave out --strict"
        )
    if not pictures:
        reason = f"; the first row: {bad[0].reason}" if bad else ""
        if source.is_dir() and not bad:
            reason = f" ({NAMES})"
        raise CorpusError(f"{source} holds no usable picture{reason}")
    passed = _passed_over(source) if source.is_dir() else ()
    root = folder.resolve()
    return Corpus(root.name, root, pictures, bad, source_captions, long, passed)


def _caption_ids(pictures: Sequence[Picture]) -> set[str]:
    """The ids of captions, as far as a picture may have the same."""
    doubtful = {picture.id.rpartition("#")[0] for picture in pictures}
    return {
        text_id(picture.id, number)
        for picture in pictures
        if picture.id in doubtful
        for number in range(max(1, len(picture.captions)))
    }


def write_corpus(pictures: Iterable[Picture], folder: Path) -> None:
    """Write ``captions.jsonl`` into the folder that the pictures lie in."""
    part = folder / f"{CAPTIONS_FILE}.part"
    with part.open("w") as file:
        for picture in pictures:
            row = {"id": picture.id, "image": picture.image, "split": picture.split}
            file.write(json.dumps({**row, "captions": picture.captions}) + "\n")
    part.replace(folder / CAPTIONS_FILE)


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise CorpusError(f"{path} does not exist; give a folder or a file of captions")
    found = [path / CAPTIONS_FILE] if (path / CAPTIONS_FILE).is_file() else []
    found += sorted(path.glob("dataset*.json"))
    if len(found) > 1:
        names = " and ".join(file.name for file in found)
        raise CorpusError(f"{path} holds {names}; name the one that is meant")
    return found[0] if found else path


def _rows(source: Path) -> Iterator[tuple[int, _Row | str]]:
    """Each row with its line, or with what is wrong with it."""
    if source.is_dir():
        files = sorted(file for file in source.rglob("*") if _is_picture(file))
        for line, file in enumerate(files, start=1):
            yield line, _Row(image=str(file.relative_to(source)))
        return
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{source} is no UTF-8 text; save it as UTF-8") from error
    if source.suffix == ".json":
        yield from _karpathy_rows(source, text)
        return
    for line, entry in enumerate(text.split("\n"), start=1):
        if entry.strip():
            try:
                yield line, _Row.model_validate_json(entry)
            except ValidationError as error:
                yield line, _first_fault(error)


def _is_picture(file: Path) -> bool:
    """By its name; those that begin so are what macOS keeps beside a file on other disks."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith("._")


def _passed_over(folder: Path) -> tuple[str, ...]:
    found: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("*")):
        if not _is_picture(file) and file.is_file():
            kind = "._" if file.name.startswith("._") else file.suffix.lower()
            found.setdefault(kind, []).append(str(file.relative_to(folder)))
    return tuple(
        f"{len(names)} with {_named(kind)}, such as {names[0]}" for kind, names in found.items()
    )


def _named(kind: str) -> str:
    if kind == "._":
        return "names that begin with ._"
    return f"the suffix {kind}" if kind else "no suffix"


def _karpathy_rows(source: Path, text: str) -> Iterator[tuple[int, _Row | str]]:
    try:
        images = json.loads(text)["images"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise CorpusError(f"{source} is not in Karpathy's layout: it needs 'images'") from error
    for line, image in enumerate(images, start=1):
        try:
            yield line, _karpathy_row(image)
        except (KeyError, TypeError, ValidationError):
            yield line, "not in Karpathy's layout: it needs filename, split, sentences[].raw"


def _karpathy_row(image: Any) -> _Row:
    name, split = image["filename"], image["split"]
    return _Row(
        image=f"{image['filepath']}/{name}" if image.get("filepath") else name,
        captions=[sentence["raw"] for sentence in image["sentences"]],
        split="train" if split == "restval" else split,
        id=Path(name).stem,
    )


def _first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def _checked(entry: tuple[int, _Row | str], folder: Path) -> tuple[int, Picture | None, str]:
    line, row = entry
    if isinstance(row, str):
        return line, None, row
    captions = tuple(map(one_line, row.captions))
    if row.caption is not None:
        captions = (*captions, one_line(row.caption))
    fault = ""
    if not all(captions):
        fault = "a caption is empty"
    elif row.split not in SPLITS:
        fault = f"the split {row.split!r} is none of {', '.join(SPLITS)}"
    else:
        fault = _image_fault(row.image, folder)
    if fault:
        return line, None, fault
    name = row.id or row.image
    kept = tuple(caption[:_LONGEST].rstrip() for caption in captions)
    picture = Picture(name, row.image, row.split, kept, metadata=row.metadata)
    return line, picture, _too_long(captions)


def _too_long(captions: Sequence[str]) -> str:
    """What is to be said of captions that are longer than what is used of them."""
    longest = max(map(len, captions), default=0)
    if longest > _LONGEST:
        return (
            f"a caption has {longest} characters; it was cut after {_LONGEST}, and the model is "
            f"told the first {TOLD_WORDS} words"
        )
    if any(excerpt(caption) != caption for caption in captions):
        return f"a caption is long; the model is told its first {TOLD_WORDS} words"
    return ""


def _image_fault(image: str, folder: Path) -> str:
    path = folder / image
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return f"the image {image} lies outside of the corpus"
        if not path.is_file():
            return f"the image {image} is missing"
        open_picture(path, _CHECKED)
    except PictureError as error:
        return f"the image {image!r} cannot be read: {error}"
    except (OSError, ValueError, RuntimeError):  # no file can have such a name, links in a circle
        return f"the image {image!r} cannot be read"
    return ""
