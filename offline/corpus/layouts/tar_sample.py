"""Samples of a tar: neighbours that are one picture and what is told of it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from offline.corpus.layouts.layout import is_picture

_TOLD = (".txt", ".json")


@dataclass(slots=True)
class TarSample:
    """Neighbours in a tar whose names are alike up to the first dot.

    Attributes:
        record: what is told of them.
        fault: of what should have told it.
    """

    pictures: list[tarfile.TarInfo] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    fault: str = ""

    def read(self, member: str, content: bytes) -> None:
        text = content.decode("utf-8-sig", errors="surrogateescape")
        if not member.lower().endswith(".json"):
            self.record["caption"] = [line for line in text.splitlines() if line.strip()]
            return
        try:
            self.record |= json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            self.fault = f"{member} is no JSON object: {error}"


def samples_of(tar: tarfile.TarFile) -> Iterator[TarSample]:
    """The samples of a tar, whose members stay where they are; what they tell is read."""
    sample, key = TarSample(), ""
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]  # else it remembers all
        folder, _, name = member.name.rpartition("/")
        own = f"{folder}/{name.partition('.')[0]}"
        if own != key:
            yield sample
            sample, key = TarSample(), own
        if member.isfile() and is_picture(member.name):
            sample.pictures.append(member)
        elif member.name.lower().endswith(_TOLD):
            content = tar.extractfile(member)
            if content is not None:
                sample.read(member.name, content.read())
    yield sample
