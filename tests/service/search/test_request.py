"""A question knows all that its answer depends on."""

import pytest

from service.errors import InvalidQueryError
from service.schemas.answer import SearchOptions
from service.search.request import Question, question
from service.settings import Settings

SETTINGS = Settings(max_top_k=50, max_query_words=4)


def asked(query: str | bytes = "a boat", **options: object) -> Question:
    direction = "text-to-image" if isinstance(query, str) else "image-to-text"
    return question(direction, query, SearchOptions.model_validate(options), SETTINGS)


def test_keys_tell_everything_apart() -> None:
    keys = {
        asked().key("v1", "m", "g"),
        asked().key("v2", "m", "g"),
        asked().key("v1", "n", "g"),
        asked().key("v1", "m", "h"),
        asked("a car").key("v1", "m", "g"),
        asked(b"a boat").key("v1", "m", "g"),
        asked(top_k=11).key("v1", "m", "g"),
        asked(beam_width=11).key("v1", "m", "g"),
        asked(verify="never").key("v1", "m", "g"),
        asked(filter={"field": "year", "equals": 1}).key("v1", "m", "g"),
        asked().at(10).key("v1", "m", "g"),
    }
    assert len(keys) == 11
    assert asked(" a  boat\n").key("v1", "m", "g") == asked().key("v1", "m", "g")


def test_pages_have_one_fingerprint() -> None:
    assert asked().at(10).fingerprint == asked().fingerprint
    assert asked(top_k=11).fingerprint != asked().fingerprint


def test_what_is_told_of_one_search_is_for_nobody_else() -> None:
    assert asked(timeout_ms=5).is_common
    assert not asked(profile=True).is_common
    assert not asked(trace=["x"]).is_common


def test_what_is_left_out_is_within_the_limits() -> None:
    small = Settings(max_top_k=5, max_beam_width=4)
    parameters = question("text-to-image", "a boat", SearchOptions(), small).parameters
    assert (parameters.top_k, parameters.beam_width) == (5, 4)
    parameters = asked().parameters
    assert (parameters.top_k, parameters.beam_width) == (10, 20)


@pytest.mark.parametrize(
    ("query", "options", "reason"),
    [
        ("a boat", {"top_k": 51}, "top_k may be at most 50"),
        ("a boat", {"beam_width": 101}, "beam_width may be at most 100"),
        ("<", {}, "holds no words"),
        ("a b c d e", {}, "has 5 words and may have at most 4"),
    ],
)
def test_refuses_what_the_settings_do_not_allow(
    query: str, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(InvalidQueryError, match=reason):
        asked(query, **options)
