"""Karpathy's JSON, as in ``dataset_flickr30k.json`` and ``dataset_coco.json``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from offline.corpus.folder import Folder
from offline.corpus.layouts.json_stream import JSON, check_list, entries
from offline.corpus.layouts.layout import Layout, LayoutError, caption_files
from offline.corpus.row import BadRow, Columns, Row

_LIST = "images.item"
_NEEDED = "not in Karpathy's layout: it needs filename, split, sentences[].raw"


class Karpathy(Layout):
    """``{"images": [{"filepath": "val2014", "filename": "1.jpg", "split": "restval", "sentences":
    [{"raw": "…"}]}]}``"""

    name = "Karpathy's JSON (dataset*.json)"

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        return self._found(folder, columns, caption_files(folder, JSON))

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        first = check_list(folder, file, _LIST)
        if not isinstance(first, dict) or not {"filename", "sentences"} & first.keys():
            raise LayoutError("has images without filename and sentences")

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        for entry in entries(folder, file, _LIST):
            yield entry if isinstance(entry, BadRow) else _row(*entry)


def _row(place: int, image: Any) -> Row | BadRow:
    try:
        name, sentences = image["filename"], image["sentences"]
        captions = [sentence["raw"] for sentence in sentences]
        split = image["split"]
    except (KeyError, TypeError):
        return BadRow(place, _NEEDED)
    if image.get("filepath"):
        name = f"{image['filepath']}/{name}"
    return Row(place, name, captions, split)
