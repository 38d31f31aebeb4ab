"""Reads a corpus, in whatever layout it is: finds the layout, lets its rows through the door, joins
them by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from offline.corpus.corpus import Corpus
from offline.corpus.decoding import damaged_pictures
from offline.corpus.door import LONGEST, Door
from offline.corpus.folder import Folder, open_source
from offline.corpus.layouts.bare_folder import BareFolder
from offline.corpus.layouts.coco import ANNOTATIONS, Coco
from offline.corpus.layouts.image_folder import ImageFolder
from offline.corpus.layouts.json_lines import JsonLines
from offline.corpus.layouts.json_list import JsonList
from offline.corpus.layouts.karpathy import Karpathy
from offline.corpus.layouts.layout import Layout, LayoutError, is_picture
from offline.corpus.layouts.parquet import Parquet
from offline.corpus.layouts.sidecar import Sidecar
from offline.corpus.layouts.table import Table
from offline.corpus.layouts.web_dataset import WebDataset
from offline.corpus.picture import SOURCE_CAPTIONS
from offline.corpus.pictures import Pictures
from offline.corpus.row import BadRow, Columns
from offline.progress import progress
from semcore.errors import CorpusError
from semcore.model.prompt import TOLD_WORDS

NAMED: Sequence[Layout] = (
    JsonLines(), ImageFolder(), Karpathy(), Coco(), JsonList(), Table(), WebDataset(), Parquet(),
)  # fmt: skip
"""Layouts whose captions stand in files, or in archives, of their own."""
LOOSE: Sequence[Layout] = (Sidecar(), BareFolder())
"""Layouts of pictures in folders, tried where there is no such file."""
_PLAIN = Columns()
_OF_CAPTIONS = (".csv", ".tsv", ".token", ".json", ".jsonl", ".parquet", ".tar")


def read_corpus(
    source: str | Path,
    *,
    columns: Columns = _PLAIN,
    strict: bool = False,
    source_captions: int = SOURCE_CAPTIONS,
    follow_links: bool = False,
    decode: bool = True,
) -> Corpus:
    """Read a corpus; bad rows are left out and listed.

    Args:
        source: a folder, a file of captions, or an archive: path, or URL that fsspec knows.
        columns: where captions and pictures stand, if not under usual names.
        strict: stop at bad rows.
        source_captions: how many captions of a picture its identifier is made of.
        follow_links: take what a link leads to.
        decode: every picture, to know which are damaged; else what opens them first will tell.

    Raises:
        CorpusError: nothing readable at ``source``, no good row, or a bad row under ``strict``.
    """
    folder, named = open_source(source)
    layout, files = _layout(folder, named, columns)
    folder, files = _rooted(folder, files)
    door = Door(folder, follow_links=follow_links)
    pictures, bad = Pictures(source_captions), []
    told: set[tuple[str, str]] = set()
    rows = ((file, row) for file in files for row in layout.rows(folder, file, columns))
    for file, row in progress(rows, "reading the corpus"):
        found = row if isinstance(row, BadRow) else door(row)
        if not isinstance(found, BadRow):
            pictures.add(found, file)
        elif not found.key or (found.key, found.reason) not in told:
            told.add((found.key, found.reason))
            bad.append(replace(found, file=file))
    bad = [replace(row, key=row.key.removeprefix(pictures.prefix)) for row in bad]
    bad += pictures.join()
    if decode:
        damaged = damaged_pictures(folder.root, pictures)
        bad += [pictures.drop(name, fault) for name, fault in damaged.items()]
    bad.sort(key=lambda row: (row.file, row.line))
    where = folder.path(named) if named else folder.root
    if strict and bad:
        first = bad[0]
        raise CorpusError(
            f"{where} has {len(bad)} bad rows, the first {first}; mend them or leave out --strict"
        )
    if not len(pictures):
        reason = f"; the first row: {bad[0]}" if bad else ""
        raise CorpusError(f"{where} holds no usable picture{reason}")
    long = [replace(row, reason=_too_long(longest)) for row, longest in pictures.long()]
    read = (".txt",) if isinstance(layout, Sidecar) else ()
    passed = _passed_over(folder, read) if layout in LOOSE else ()
    return Corpus(
        name=folder.name,
        image_root=folder.root,
        pictures=pictures,
        bad_rows=bad,
        source_captions=source_captions,
        long_rows=long,
        passed_over=passed,
        linked=follow_links,
        layout=layout.name,
    )


def _layout(folder: Folder, named: str, columns: Columns) -> tuple[Layout, Sequence[str]]:
    """The layout of a file, or of what lies in a folder, and its files."""
    faults: list[str] = []
    found: list[tuple[Layout, Sequence[str]]] = []
    for layout in NAMED:
        try:
            if named:
                layout.check(folder, named, columns)
            files = [named] if named else layout.find(folder, columns)
            found.append((layout, files))
        except LayoutError as error:
            faults.append(f"{layout.name}: {error}")
    found = _without_companions(found)
    if len(found) > 1:
        if named:
            return found[0]
        names = " and ".join(file for _, files in found for file in files)
        raise CorpusError(f"{folder.root} holds {names}; name the one that is meant")
    if found:
        return found[0]
    for layout in LOOSE if not named else ():
        try:
            return layout, layout.find(folder, columns)
        except LayoutError as error:
            faults.append(f"{layout.name}: {error}")
    tried = "".join(f"\n- {fault}" for fault in faults)
    where = folder.path(named) if named else folder.root
    raise CorpusError(f"{where} is in no layout that is read:{tried}")


def _without_companions(
    found: Sequence[tuple[Layout, Sequence[str]]],
) -> list[tuple[Layout, Sequence[str]]]:
    """Without the parquet files that img2dataset writes beside tars of the same names."""
    tars = {
        file.removesuffix(".tar")
        for layout, files in found
        if isinstance(layout, WebDataset)
        for file in files
    }
    return [
        (layout, files)
        for layout, files in found
        if not (isinstance(layout, Parquet) and tars >= {f.removesuffix(".parquet") for f in files})
    ]


def _rooted(folder: Folder, files: Sequence[str]) -> tuple[Folder, Sequence[str]]:
    """COCO's pictures lie beside the folder of its annotations."""
    if folder.local is not None and folder.name == ANNOTATIONS and all(files):
        return Folder(folder.local.parent), [f"{ANNOTATIONS}/{file}" for file in files]
    return folder, files


def _too_long(longest: int) -> str:
    if longest > LONGEST:
        return (
            f"a caption has {longest} characters; it was cut after {LONGEST}, and the model is "
            f"told the first {TOLD_WORDS} words"
        )
    return f"a caption is long; the model is told its first {TOLD_WORDS} words"


def _passed_over(folder: Folder, read: Sequence[str]) -> tuple[str, ...]:
    """What is no picture by its name, by suffix, with the first of each; ``read``: suffixes of what
    was read besides."""
    counts: dict[str, list[int | str]] = {}
    for file in folder.walk():
        if not is_picture(file):
            name = file.rpartition("/")[2]
            kind = "._" if name.startswith("._") else Path(name).suffix.lower()
            if kind in read:
                continue
            told = counts.setdefault(kind, [0, file])
            told[0] = int(told[0]) + 1
    return tuple(
        f"{count} with {_named(kind)}, such as {first}{_why(folder, kind, str(first))}"
        for kind, (count, first) in counts.items()
    )


def _why(folder: Folder, kind: str, file: str) -> str:
    """People keep captions in such files: the command says why SemCORE read none there."""
    return f" ('semcore look {folder.path(file)}' says why)" if kind in _OF_CAPTIONS else ""


def _named(kind: str) -> str:
    if kind == "._":
        return "names that begin with ._"
    return f"the suffix {kind}" if kind else "no suffix"
