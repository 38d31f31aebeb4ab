"""COCO's captions: ``annotations/captions_val2017.json`` beside the folder ``val2017``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from offline.corpus.folder import Folder
from offline.corpus.layouts.json_stream import JSON, check_list, entries
from offline.corpus.layouts.layout import Layout, LayoutError, caption_files, split_of_name
from offline.corpus.row import BadRow, Columns, Row

ANNOTATIONS = "annotations"
_IMAGES, _CAPTIONS = "images.item", "annotations.item"


class Coco(Layout):
    """``{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption":
    "…"}]}``: a row for each picture, then one for each caption."""

    name = "COCO's captions (captions_*.json)"

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        files = [*caption_files(folder, JSON), *caption_files(folder, JSON, ANNOTATIONS)]
        return self._found(folder, columns, files)

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        image = check_list(folder, file, _IMAGES)
        annotation = check_list(folder, file, _CAPTIONS)
        if not isinstance(image, dict) or "file_name" not in image:
            raise LayoutError("has images without file_name")
        if not isinstance(annotation, dict) or "caption" not in annotation:
            raise LayoutError("has annotations without caption")

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        split = split_of_name(file)
        names: dict[object, str] = {}
        for entry in entries(folder, file, _IMAGES):
            if isinstance(entry, BadRow):
                yield entry
                return
            place, image = entry
            try:
                names[image["id"]] = image["file_name"]
            except (KeyError, TypeError):
                yield BadRow(place, "the image has no id and file_name")
                continue
            yield Row(place, image["file_name"], None, split or None)
        for entry in entries(folder, file, _CAPTIONS):
            if isinstance(entry, BadRow):
                yield entry
                return
            place, annotation = entry
            try:
                name, caption = names[annotation["image_id"]], annotation["caption"]
            except (KeyError, TypeError):
                yield BadRow(place, "the annotation has no caption, or image_id is of no image")
                continue
            yield Row(place, name, caption, split or None)
