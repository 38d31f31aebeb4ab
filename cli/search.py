"""``semcore search``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import NothingFoundError
from cli.options import (
    DEFAULT_URL,
    AsJson,
    Descending,
    DiversityValue,
    FacetFields,
    FoldDuplicates,
    GroupBy,
    GroupSize,
    GuideValue,
    Key,
    MinScore,
    Only,
    Pictures,
    SortField,
    TopK,
    Url,
    Verify,
    metadata_options,
    ranking_options,
)


def search(
    query: Annotated[str, typer.Argument(help="A text, or the path of a picture.")],
    url: Url = DEFAULT_URL,
    key: Key = None,
    top_k: TopK = None,
    beam_width: Annotated[int | None, typer.Option(min=1, help="Beams.")] = None,
    verify: Verify = "auto",
    guide: Annotated[
        GuideValue,
        typer.Option(help="Rank with the guide as evidence (auto), without it, or by it only."),
    ] = "auto",
    min_score: MinScore = None,
    only: Only = None,
    diversity: DiversityValue = 0.0,
    fold_duplicates: FoldDuplicates = False,
    group_by: GroupBy = None,
    group_size: GroupSize = None,
    sort: SortField = None,
    descending: Descending = False,
    facet: FacetFields = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell how the first identifier was spelled.")
    ] = False,
    pictures: Pictures = None,
    as_json: AsJson = False,
) -> None:
    """Search a running service by a text or by a picture."""
    from rich.console import Console

    from cli.answer import print_path, show
    from cli.connection import Connection

    options = ranking_options(top_k, only, diversity, fold_duplicates)
    options |= metadata_options(group_by, group_size, sort, descending, facet)
    options |= {"verify": verify, "explain": explain, "guide": guide}
    if beam_width is not None:
        options["beam_width"] = beam_width
    if min_score is not None:
        options["min_score"] = min_score
    with Connection(url, key) as service:
        with Console(stderr=True).status("searching"):
            answer = service.ask(query, options)
        console = show(service, answer, pictures, as_json=as_json)
        if explain and console is not None:
            print_path(answer["items"][0], console)
    if not answer["items"]:
        raise NothingFoundError(_nothing(min_score, is_filtered=only is not None))


def _nothing(min_score: float | None, *, is_filtered: bool) -> str:
    if min_score:
        return (
            f"nothing here fits: no item is right with a probability of {min_score:g} or more; say "
            "it in other words, or ask for a lower --min-score"
        )
    mend = "let the filter pass more" if is_filtered else "ask with a larger --beam-width"
    return f"nothing was found; {mend}"
