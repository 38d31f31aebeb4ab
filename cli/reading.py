"""``semcore look``, and the options of commands that read a corpus."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from offline.corpus.corpus import Corpus
    from offline.corpus.row import Columns

Source = Annotated[
    str,
    typer.Argument(
        help="Folder, file of captions, or archive: a path, or a URL such as s3://bucket/photos."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at bad rows.")]
ImageColumn = Annotated[
    str, typer.Option(help="Column or field that pictures are named in; default: usual names.")
]
CaptionColumn = Annotated[
    list[str] | None, typer.Option(help="Column or field of captions; repeatable.")
]
SplitColumn = Annotated[str, typer.Option(help="Column or field of the split.")]
MetadataColumn = Annotated[
    list[str] | None,
    typer.Option(help="Column or field that becomes metadata, for filters; repeatable."),
]
FollowLinks = Annotated[
    bool, typer.Option("--follow-links", help="Take what links in the corpus lead to.")
]
Undecoded = Annotated[
    bool,
    typer.Option(
        "--undecoded",
        help="Do not decode all pictures to find the damaged ones; training would stop at one.",
    ),
]
_SHOWN = 10


def look(
    source: Source,
    image_column: ImageColumn = "",
    caption_column: CaptionColumn = None,
    split_column: SplitColumn = "",
    metadata_column: MetadataColumn = None,
    follow_links: FollowLinks = False,
    undecoded: Undecoded = False,
) -> None:
    """Read a corpus and say what is in it, and which rows are bad; nothing is built."""
    from offline.corpus.reader import read_corpus

    columns = columns_of(image_column, caption_column, split_column, metadata_column)
    found = read_corpus(source, columns=columns, follow_links=follow_links, decode=not undecoded)
    tell_corpus(found)
    for row in found.bad_rows[:_SHOWN]:
        typer.echo(f"bad row {row}")
    if len(found.bad_rows) > _SHOWN:
        typer.echo(f"and {len(found.bad_rows) - _SHOWN} more bad rows")


def columns_of(
    image: str, captions: list[str] | None, split: str, metadata: list[str] | None
) -> Columns:
    """What the options of these names say."""
    from offline.corpus.row import Columns

    return Columns(image, tuple(captions or ()), split, tuple(metadata or ()))


def tell_corpus(corpus: Corpus) -> None:
    """Print what was read."""
    splits: Counter[str] = Counter()
    captions = 0
    for picture in corpus.pictures:
        splits[picture.split] += 1
        captions += len(picture.captions)
    told = ", ".join(f"{count} {split}" for split, count in splits.items())
    typer.echo(
        f"{corpus.name}: {len(corpus.pictures)} pictures ({told}) with {captions} captions, read "
        f"as {corpus.layout}; {len(corpus.bad_rows)} bad rows"
    )
    if corpus.passed_over:
        passed = "; ".join(corpus.passed_over)
        typer.echo(f"Files that are no pictures by their names were passed over: {passed}")
