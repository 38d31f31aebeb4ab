"""A corpus: pictures with captions, and what was left out of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from offline.corpus.layouts.json_lines import CAPTIONS_FILE as CAPTIONS_FILE
from offline.corpus.picture import SOURCE_CAPTIONS, Picture
from offline.corpus.pictures import Pictures
from offline.corpus.row import BadRow


@dataclass(frozen=True, slots=True)
class Corpus:
    """Attributes:
    image_root: folder, or URL of one, that the pictures lie below.
    pictures: in order of id.
    bad_rows: those that were left out.
    long_rows: those that stayed, with captions that are longer than what is used of them.
    passed_over: what is no picture by its name, where pictures were looked for, a sentence for
        each suffix.
    linked: pictures may be links to files outside of the root.
    layout: what it was read as, for people.
    """

    name: str
    image_root: str
    pictures: Sequence[Picture]
    bad_rows: Sequence[BadRow]
    source_captions: int = SOURCE_CAPTIONS
    long_rows: Sequence[BadRow] = field(default_factory=list)
    passed_over: tuple[str, ...] = ()
    linked: bool = False
    layout: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of ids, captions, splits and metadata in order of id, whatever layout
        they were read from; pictures count by id, not by content."""
        digest = hashlib.sha256()
        pictures = self.pictures
        if not isinstance(pictures, Pictures):  # which are in order
            pictures = sorted(pictures, key=lambda picture: picture.id)
        for one in pictures:
            told = [one.id, one.captions, one.split, one.metadata]
            digest.update(json.dumps(told, sort_keys=True).encode())
        return digest.hexdigest()


def write_corpus(pictures: Iterable[Picture], folder: Path) -> None:
    """Write ``captions.jsonl`` into the folder that the pictures lie in."""
    part = folder / f"{CAPTIONS_FILE}.part"
    with part.open("w") as file:
        for picture in pictures:
            row = {"id": picture.id, "image": picture.image, "split": picture.split}
            file.write(json.dumps({**row, "captions": picture.captions}) + "\n")
    part.replace(folder / CAPTIONS_FILE)
