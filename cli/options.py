"""Options that several commands have, and the values that some of them are held to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

DEFAULT_URL = "http://127.0.0.1:8080"

# Repeated here, as whatever has them imports more than a completion has time for.
VerifyValue = Literal["auto", "always", "never"]
GuideValue = Literal["auto", "none", "only"]
GsvValue = Literal["pointwise", "listwise"]
ToldValue = Literal["keywords", "captions"]
KindValue = Literal["image", "text"]
SplitValue = Literal["train", "val", "test"]
RecipeValue = Literal[
    "table1", "table3", "table4", "table5", "figure3", "new-items", "beyond", "photographs", "all"
]
BudgetValue = Literal["moment", "short", "full"]
SmallBase = Literal["tiny", "small"]
BASES = ("tiny", "small", *(f"{size}b{way}" for size in (1, 2, 4, 8) for way in ("", "-lora")))
"""Those with a name; any checkpoint will do."""

Url = Annotated[str, typer.Option(help="Address of the service.")]
Key = Annotated[
    str | None, typer.Option(envvar="SEMCORE_KEY", help="API key, where the service has keys.")
]
ImageRoot = Annotated[
    str | None,
    typer.Option(
        envvar="SEMCORE_IMAGE_ROOT",
        help="Folder of the pictures, or its URL, if not what the bundle says.",
    ),
]
Served = Annotated[Path, typer.Argument(help="The bundle that the service serves.")]
Pictures = Annotated[
    bool | None,
    typer.Option(
        "--pictures/--no-pictures",
        help="Show pictures; default: where the terminal can, unless NO_COLOR is set.",
    ),
]
Verify = Annotated[
    VerifyValue, typer.Option(help="Let the model judge the best; auto: unless one leads by far.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
TopK = Annotated[int | None, typer.Option(min=1, help="Items wanted; default: the service's.")]
Only = Annotated[
    str | None,
    typer.Option(
        "--filter", metavar="JSON", help='Hold it to \'{"field": "year", "gte": 1980}\', say.'
    ),
]
DiversityValue = Annotated[
    float,
    typer.Option(
        "--diversity", min=0, max=1, help="How much likeness to items before it counts against one."
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option(
        "--min-score", min=0, max=1, help="Leave out what is right with a lower probability."
    ),
]
FoldDuplicates = Annotated[
    bool,
    typer.Option("--fold-duplicates", help="Show of items that are nearly the same the best only."),
]
GroupBy = Annotated[
    str | None,
    typer.Option(metavar="FIELD", help="Show of each value of a metadata field the best only."),
]
GroupSize = Annotated[
    int | None, typer.Option(min=1, help="With --group-by: how many of each value; default 1.")
]
SortField = Annotated[
    str | None,
    typer.Option(
        "--sort", metavar="FIELD", help="Order what was found by a metadata field, not by rank."
    ),
]
Descending = Annotated[
    bool, typer.Option("--descending", help="With --sort: largest values first.")
]
FacetFields = Annotated[
    list[str] | None,
    typer.Option(
        "--facet", metavar="FIELD", help="Count a metadata field's values; may be repeated."
    ),
]


def metadata_options(
    group_by: str | None,
    group_size: int | None,
    sort: str | None,
    descending: bool,
    facets: list[str] | None,
) -> dict[str, Any]:
    """What a service is told of these, beside :func:`ranking_options`."""
    if descending and sort is None:
        raise typer.BadParameter("it needs --sort", param_hint="--descending")
    told = {
        "group_by": group_by,
        "group_size": group_size,
        "sort": None if sort is None else {"field": sort, "descending": descending},
        "facets": facets or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def ranking_options(
    top_k: int | None, only: str | None, diversity: float, fold_duplicates: bool
) -> dict[str, Any]:
    """What a service is told of these; what is left out is the service's to say."""
    told: dict[str, Any] = {}
    if top_k is not None:
        told["top_k"] = top_k
    if only is not None:
        told["filter"] = read_filter(only)
    if diversity:
        told["diversity"] = diversity
    if fold_duplicates:
        told["fold_duplicates"] = True
    return told


def read_filter(condition: str) -> Any:
    """What is told in JSON, which the service reads."""
    try:
        return json.loads(condition)
    except ValueError as error:
        said = f"this is no JSON: {error}"
        raise typer.BadParameter(said, param_hint="--filter") from error


def bases_like(incomplete: str) -> list[str]:
    """The names of bases that begin so."""
    return [base for base in BASES if base.startswith(incomplete)]
