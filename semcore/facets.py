"""Counts and orders by metadata, as the client takes and gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Required, TypedDict

from semcore.kind import Kind


class Sort(TypedDict, total=False):
    """An order by a field of the metadata."""

    field: Required[str]
    descending: bool


class FacetOptions(TypedDict, total=False):
    """``limit``: values of a field that are told, the commonest."""

    filter: Mapping[str, Any]
    kind: Kind
    limit: int
    timeout_ms: int


class ValueCount(TypedDict):
    value: float | str
    count: int


class Facet(TypedDict):
    """``distinct``: how many different values there are; ``without``: how many items have none."""

    field: str
    values: list[ValueCount]
    distinct: int
    without: int
    min: float | None
    max: float | None


class Facets(TypedDict):
    """``total``: items that pass the filter."""

    total: int
    fields: list[Facet]
