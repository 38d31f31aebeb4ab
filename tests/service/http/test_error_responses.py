"""A failure is told as one sentence, its status, and when to ask again."""

import json

import pytest

from semcore.errors import EngineError
from service.errors import InvalidQueryError, NotFoundError, OverloadedError
from service.http.error_responses import error_answer, failed, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("there is no item 'a'"), 404),
        (InvalidQueryError("top_k may be at most 100"), 422),
        (EngineError("the engine has died; restart it"), 503),
        (ValueError("a fault"), 503),
    ],
)
def test_what_is_not_the_clients_to_mend_is_unavailable(error: Exception, status: int) -> None:
    answer = failed(error)
    assert answer.status_code == status_of(error) == status
    assert json.loads(bytes(answer.body)) == {"error": str(error)}
    assert "retry-after" not in answer.headers


def test_says_after_how_many_seconds_to_ask_again() -> None:
    answer = failed(OverloadedError("64 searches wait already; search again later", 3))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert error_answer(503, "warming up", 0).headers["retry-after"] == "0"
