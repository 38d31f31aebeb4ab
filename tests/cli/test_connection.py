"""Commands ask a service as it wants to be asked, and pass on what it says."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from answering import answering

from cli.connection import Connection
from semcore.client import ServiceError

ALIVE = 200, b'{"status": "alive"}'


@contextmanager
def connected(
    answer: Callable[[str], tuple[int, object]],
) -> Iterator[tuple[Connection, list[str]]]:
    """A connection to a service that answers so, and the paths that it was asked for."""
    asked: list[str] = []

    def reply(path: str) -> tuple[int, bytes]:
        if path == "/healthz":
            return ALIVE
        asked.append(path)
        status, body = answer(path)
        return status, json.dumps(body).encode()

    with answering(reply) as url, Connection(url) as connection:
        yield connection, asked


def refused(status: int, sentence: str) -> Callable[[str], tuple[int, object]]:
    return lambda _: (status, {"error": sentence})


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ((503, b'{"error": "the engine has died"}'), "the engine has died"),
        ((404, b"<html>"), "/healthz answered 404"),
        ((200, b'{"status": "odd"}'), "/healthz answered 200"),
    ],
)
def test_says_at_once_what_is_wrong_with_a_service(health: tuple[int, bytes], said: str) -> None:
    with (
        answering(lambda _: health) as url,
        pytest.raises(ServiceError, match=said) as raised,
        Connection(url),
    ):
        pass
    assert url in str(raised.value)
    assert raised.value.status == 0


def test_says_where_no_service_is() -> None:
    with pytest.raises(ServiceError, match=r"no service answers at http://127\.0\.0\.1:1"):
        Connection("http://127.0.0.1:1").__enter__()


def test_a_query_is_a_picture_where_there_is_such_a_file(tmp_path: Path) -> None:
    picture = tmp_path / "boat.png"
    picture.write_bytes(b"its bytes")
    with connected(lambda _: (200, {"items": []})) as (service, asked):
        for query in ("a boat", str(picture), str(tmp_path), str(tmp_path / "none"), "b" * 5000):
            assert service.ask(query, {"top_k": 3}) == {"items": []}
        service.ask(b"its bytes", {})
        service.ask(picture, {})
    text, image = "/search/text-to-image", "/search/image-to-text"
    assert asked == [text, image, text, text, text, image, image]


def test_an_item_that_is_not_there_is_none() -> None:
    with connected(refused(404, "there is no item 'a'")) as (service, _):
        assert service.item("a") is None
    with connected(lambda _: (200, {"id": "a/b c"})) as (service, asked):
        assert service.item("a/b c") == {"id": "a/b c"}
    assert asked == ["/items/a%2Fb%20c"]
    with (
        connected(refused(403, "the key is not for search")) as (service, _),
        pytest.raises(ServiceError, match="not for search"),
    ):
        service.item("a")


def test_a_place_in_the_tree_is_asked_for_as_it_is() -> None:
    with connected(lambda _: (200, {"count": 3})) as (service, asked):
        assert service.place("text", "<g1> boat & ship", 5, 7) == {"count": 3}
    (path,) = asked
    assert urlsplit(path).path == "/identifiers"
    assert parse_qs(urlsplit(path).query) == {
        "kind": ["text"],
        "beginning": ["<g1> boat & ship"],
        "branches": ["5"],
        "items": ["7"],
    }


def test_says_how_a_key_is_named_where_one_is_needed() -> None:
    with (
        connected(refused(401, "this needs a key")) as (service, _),
        pytest.raises(ServiceError, match="this needs a key: name it with --key") as raised,
    ):
        service.ask("a boat", {})
    assert raised.value.status == 401
