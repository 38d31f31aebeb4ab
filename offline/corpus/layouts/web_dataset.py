"""WebDataset's tars, which img2dataset writes as well: ``7.jpg``, ``7.txt`` and ``7.json`` are one
picture. It is read in its place."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import replace

from offline.corpus.folder import Folder
from offline.corpus.layouts.layout import Layout, LayoutError, split_of_name
from offline.corpus.layouts.tar_sample import samples_of
from offline.corpus.row import BadRow, Columns, Row, row_of
from semcore.pictures.picture_source import part_of


class WebDataset(Layout):
    """Tars with pictures and, of the same names, their captions in ``.txt`` or ``.json``"""

    name = "WebDataset's tars (*.tar)"

    def find(self, folder: Folder, columns: Columns) -> Sequence[str]:
        files = [file for file in folder.files() if file.lower().endswith(".tar")]
        return self._found(folder, columns, files)

    def check(self, folder: Folder, file: str, columns: Columns) -> None:
        if not file.lower().endswith(".tar"):
            raise LayoutError("has another suffix than .tar; one that is compressed has no places")
        try:
            with folder.open(file) as opened, tarfile.open(fileobj=opened, mode="r:"):
                pass
        except (tarfile.TarError, OSError) as error:
            raise LayoutError(f"is no tar: {error}") from error

    def rows(self, folder: Folder, file: str, columns: Columns) -> Iterator[Row | BadRow]:
        split, place = split_of_name(file), 0
        with folder.open(file) as opened, tarfile.open(fileobj=opened, mode="r:") as tar:
            try:
                for sample in samples_of(tar):
                    for picture in sample.pictures:
                        place += 1
                        row = row_of(place, sample.record, columns, split)
                        part = part_of(file, f"{picture.offset_data}+{picture.size}")
                        yield replace(row, name=f"{file}/{picture.name}", image=part)
                    if sample.fault:
                        yield BadRow(place, sample.fault)
            except (tarfile.TarError, OSError) as error:
                yield BadRow(place + 1, f"from here on the tar is damaged: {error}")
