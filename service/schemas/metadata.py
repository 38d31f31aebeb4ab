"""What goes in and out that is about metadata: options of searches, and counts."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from semcore.bundle.filter import Filter, Name
from semcore.kind import Kind

MOST_FIELDS = 10
"""Of one question."""
LIMIT = 20
"""Values of a field that are told, unless a question says."""

FieldNames = Annotated[list[Name], Field(max_length=MOST_FIELDS, fail_fast=True)]


class Sort(BaseModel):
    """An order by a field of the metadata."""

    model_config = ConfigDict(extra="forbid", strict=True)

    field: Name
    descending: bool = False


class MetadataOptions(BaseModel):
    """Parameters of every search that name fields of the metadata."""

    group_by: Name | None = Field(
        default=None,
        description="a field of the metadata: of each of its values only the best items are "
        "shown, and all items without it",
    )
    group_size: int | None = Field(
        default=None, ge=1, le=100, description="how many these are; if left out 1"
    )
    sort: Sort | None = Field(
        default=None,
        description="show the candidates that were found in the order of a field, those without "
        "it last; not beside diversity",
    )
    facets: FieldNames = Field(
        default=[],
        description="fields of the metadata whose values are counted, over all items that pass "
        "the filter, whatever the query",
    )


class FacetQuery(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"fields": ["year"], "kind": "image", "limit": 5}]},
    )

    fields: FieldNames = Field(min_length=1, description="of the metadata, to be counted")
    filter: Filter | None = Field(default=None, description="only items whose metadata pass count")
    kind: Kind | None = Field(default=None, description="of the items; both if left out")
    limit: int = Field(default=LIMIT, ge=1, le=100, description="values of a field, the commonest")
    timeout_ms: int | None = Field(
        default=None, ge=1, le=600_000, description="milliseconds until the answer has to be there"
    )


class ValueCount(BaseModel):
    value: int | float | str
    count: int = Field(description="items that have it")


class Facet(BaseModel):
    """A field of the metadata, over all items that pass the filter."""

    field: str
    values: list[ValueCount] = Field(
        description="most items first, those of equal ones in order, numbers before texts; a "
        "boolean is the number 1 or 0"
    )
    distinct: int = Field(description="different values, those that are not told included")
    without: int = Field(description="items that have no value of it")
    min: int | float | None = Field(description="the smallest number; null: there is none")
    max: int | float | None = Field(description="the largest number; null: there is none")


class Facets(BaseModel):
    total: int = Field(description="items of the kind that can be found and pass the filter")
    fields: list[Facet] = Field(description="in the order that they were asked for")


class FacetAnswer(Facets):
    index_version: str
