"""The client has the fields that the service has."""

import pytest
from pydantic import BaseModel

from semcore import facets as told
from service.schemas import metadata


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (told.Sort, metadata.Sort),
        (told.ValueCount, metadata.ValueCount),
        (told.Facet, metadata.Facet),
        (told.Facets, metadata.Facets),
    ],
)
def test_the_fields_are_those_of_the_service(mine: type, theirs: type[BaseModel]) -> None:
    assert mine.__annotations__.keys() == theirs.model_fields.keys()


def test_options_are_those_of_the_route() -> None:
    fields = metadata.FacetQuery.model_fields.keys()
    assert {"fields", *told.FacetOptions.__annotations__} == fields
