"""Filters: conditions on the metadata of items, which searches are held to.

Metadata of an item are fields with one value or a list of them: strings, numbers and booleans, of
which a boolean is the number 1 or 0; whole numbers beyond 64 bits are rounded. A condition on a
field holds if one of its values meets it; it never holds for an item without the field.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from semcore.text import composed

_DEEPEST = 8
_MOST = 64
LONGEST_TEXT, LONGEST_NAME = 1000, 100  # characters

Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT), AfterValidator(composed)]
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Value = bool | Whole | Real | Text
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
Metadata = Mapping[str, Value | Sequence[Value]]
MetadataFields = dict[Name, Value | list[Value]]
"""Metadata as they are read from outside."""
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
_OPERATORS = ("equals", "in", "gt", "gte", "lt", "lte")
_CONNECTIVES = ("and", "or", "not")


class Filter(BaseModel):
    """A condition on one field, or a connection of filters.

    ``{"field": "year", "gte": 1990, "lt": 2000}``; ``{"field": "camera", "in": ["a", "b"]}``;
    ``{"and": [...]}``, ``{"or": [...]}``, ``{"not": {...}}``. Several operators on a field hold for
    one and the same value. Ranges compare numbers with numbers, and strings, by code point, with
    strings.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"and": [{"field": "year", "gte": 1990}]}]},
    )

    field: Name | None = None
    equals: Value | None = None
    one_of: list[Value] | None = Field(
        default=None, alias="in", min_length=1, max_length=1000, fail_fast=True
    )
    gt: Value | None = None
    gte: Value | None = None
    lt: Value | None = None
    lte: Value | None = None
    all_of: list[Filter] | None = Field(
        default=None, alias="and", min_length=1, max_length=_MOST, fail_fast=True
    )
    any_of: list[Filter] | None = Field(
        default=None, alias="or", min_length=1, max_length=_MOST, fail_fast=True
    )
    negated: Filter | None = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        operators = [self.equals, self.one_of, *self.bounds.values()]
        connectives = [self.all_of, self.any_of, self.negated]
        has_operator = any(value is not None for value in operators)
        connected = sum(value is not None for value in connectives)
        if (self.field is not None) != has_operator or (self.field is not None) + connected != 1:
            raise ValueError(
                f"a filter is a field with some of {', '.join(_OPERATORS)}, or one of "
                f"{', '.join(_CONNECTIVES)}"
            )
        depth, size = _extent(self)
        if depth > _DEEPEST or size > _MOST:
            raise ValueError(f"a filter is at most {_DEEPEST} deep and has at most {_MOST} parts")
        return self

    def matches(self, metadata: Metadata) -> bool:
        """Whether an item with these metadata passes."""
        if self.all_of is not None:
            return all(part.matches(metadata) for part in self.all_of)
        if self.any_of is not None:
            return any(part.matches(metadata) for part in self.any_of)
        if self.negated is not None:
            return not self.negated.matches(metadata)
        assert self.field is not None
        return any(self._holds(value) for value in values_of(metadata.get(self.field)))

    @property
    def bounds(self) -> dict[str, Value]:
        """Those of the four operators of ranges that are given."""
        given = {"gt": self.gt, "gte": self.gte, "lt": self.lt, "lte": self.lte}
        return {name: value for name, value in given.items() if value is not None}

    def _holds(self, value: Value) -> bool:
        return (
            (self.equals is None or value == self.equals)
            and (self.one_of is None or value in self.one_of)
            and all(
                is_text(value) == is_text(bound) and _COMPARE[name](value, bound)
                for name, bound in self.bounds.items()
            )
        )


def values_of(field: Value | Sequence[Value] | None) -> Sequence[Value]:
    """The values of a field: none, the one, or those of a list."""
    if field is None:
        return ()
    return (field,) if isinstance(field, bool | int | float | str) else field


def compared(value: Value) -> int | float | str:
    """A value as it is told apart from others: a boolean is the number 1 or 0, and a number without
    a fraction is whole, if it has 64 bits."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and -(2**63) <= value < 2**63 else value
    return int(value) if isinstance(value, bool) else value


def is_text(value: Value) -> bool:
    """Whether a value is compared with strings, and not with numbers."""
    return isinstance(value, str)


def _extent(one: Filter) -> tuple[int, int]:
    """Depth and number of parts."""
    parts = [*(one.all_of or ()), *(one.any_of or ()), *([one.negated] if one.negated else ())]
    extents = [_extent(part) for part in parts]
    deepest = max((depth for depth, _ in extents), default=0)
    return 1 + deepest, 1 + sum(size for _, size in extents)
