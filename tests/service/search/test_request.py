"""A question knows all that its answer depends on."""

import pytest

from semcore.kind import Direction
from service.errors import InvalidQueryError
from service.schemas.answer import SearchOptions, SimilarOptions
from service.search.diversity import Diversity
from service.search.query_image import content_key
from service.search.request import Question, question, similar_question
from service.search.searcher import SearchParameters
from service.search.similar import SimilarParameters
from service.settings import Settings

SETTINGS = Settings(max_top_k=50, max_query_words=4)


def asked(query: str | bytes = "a boat", **options: object) -> Question:
    direction: Direction = "text-to-image" if isinstance(query, str) else "image-to-text"
    return question(direction, query, SearchOptions.model_validate(options), SETTINGS)


def alike(query: str | bytes = "a boat", **options: object) -> Question:
    return similar_question(query, SimilarOptions.model_validate(options), SETTINGS)


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
        asked(diversity=0.5).key("v1", "m", "g"),
        asked(fold_duplicates=True).key("v1", "m", "g"),
        asked(min_score=0.5).key("v1", "m", "g"),
        asked(min_score=0).key("v1", "m", "g"),
        alike().key("v1", "m", "g"),
        alike("a car").key("v1", "m", "g"),
        alike(b"a boat").key("v1", "m", "g"),
        alike(kind="text").key("v1", "m", "g"),
        alike(diversity=0.5).key("v1", "m", "g"),
        asked(group_by="year").key("v1", "m", "g"),
        asked(group_by="tags").key("v1", "m", "g"),
        asked(group_by="year", group_size=2).key("v1", "m", "g"),
        asked(sort={"field": "year"}).key("v1", "m", "g"),
        asked(sort={"field": "year", "descending": True}).key("v1", "m", "g"),
        asked(facets=["year"]).key("v1", "m", "g"),
        alike(group_by="year").key("v1", "m", "g"),
        alike(sort={"field": "year"}).key("v1", "m", "g"),
        alike(facets=["year"]).key("v1", "m", "g"),
    }
    assert len(keys) == 29
    assert asked(group_by="year", group_size=1) == asked(group_by="year")
    assert asked(" a  boat\n").key("v1", "m", "g") == asked().key("v1", "m", "g")


def test_pages_have_one_fingerprint() -> None:
    assert asked().at(10).fingerprint == asked().fingerprint
    assert asked(top_k=11).fingerprint != asked().fingerprint
    assert asked(diversity=0.5).fingerprint != asked().fingerprint
    assert asked(fold_duplicates=True).fingerprint != asked().fingerprint
    assert asked(group_by="year").fingerprint != asked().fingerprint
    assert asked(sort={"field": "year"}).fingerprint != asked().fingerprint
    assert asked(min_score=0.5).fingerprint != asked().fingerprint
    assert alike().at(10).fingerprint == alike().fingerprint != alike(kind="text").fingerprint


def test_an_item_is_not_the_picture_whose_hash_is_its_id() -> None:
    content = b"a picture"
    assert alike(content_key(content)).name != alike(content).name


def test_what_is_allowed_of_searches_for_items_like_one() -> None:
    assert alike().parameters.top_k == 10
    assert alike(kind="text", fold_duplicates=True).parameters == SimilarParameters(
        10, kind="text", diversity=Diversity(folds=True)
    )
    with pytest.raises(InvalidQueryError, match="top_k may be at most 50"):
        alike(top_k=51)


def test_what_is_told_of_one_search_is_for_nobody_else() -> None:
    assert asked(timeout_ms=5).is_common
    assert not asked(profile=True).is_common
    assert not asked(trace=["x"]).is_common


def test_what_is_left_out_is_within_the_limits() -> None:
    small = Settings(max_top_k=5, max_beam_width=4)
    parameters = question("text-to-image", "a boat", SearchOptions(), small).parameters
    assert isinstance(parameters, SearchParameters)
    assert (parameters.top_k, parameters.beam_width) == (5, 4)
    parameters = asked().parameters
    assert isinstance(parameters, SearchParameters)
    assert (parameters.top_k, parameters.beam_width) == (10, 20)


@pytest.mark.parametrize(
    ("query", "options", "reason"),
    [
        ("a boat", {"top_k": 51}, "top_k may be at most 50"),
        ("a boat", {"beam_width": 101}, "beam_width may be at most 100"),
        ("a boat", {"group_size": 2}, "group_size is of group_by"),
        ("a boat", {"sort": {"field": "year"}, "diversity": 0.5}, "leave one of the two out"),
        ("<", {}, "holds no words"),
        ("a b c d e", {}, "has 5 words and may have at most 4"),
    ],
)
def test_refuses_what_the_settings_do_not_allow(
    query: str, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(InvalidQueryError, match=reason):
        asked(query, **options)
