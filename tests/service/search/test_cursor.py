"""A cursor goes on with its own query on its own index, and with nothing else."""

import base64

import pytest

from service.errors import InvalidQueryError, StaleCursorError
from service.search.cursor import Cursor


def test_goes_there_and_back() -> None:
    cursor = Cursor(offset=10, version="v", query="boats")
    assert Cursor.read(cursor.text, "v", "boats") == cursor
    with pytest.raises(InvalidQueryError, match="another query"):
        Cursor.read(cursor.text, "v", "ships")
    with pytest.raises(StaleCursorError, match="begin anew"):
        Cursor.read(cursor.text, "w", "boats")


@pytest.mark.parametrize(
    "text",
    ["", "é", "not base64!", base64.b64encode(b'{"offset": 0}').decode(),
     base64.b64encode(b'{"offset": -1, "version": "v", "query": "q"}').decode(), "\x00"],
)  # fmt: skip
def test_refuses_what_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidQueryError, match="the cursor is none"):
        Cursor.read(text, "v", "q")
