"""Every error of the service has a status that the contract tells of."""

import pytest

from service import errors
from service.errors import DeadlineError, OverloadedError, RequestError
from service.schemas.answer import ERRORS

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, RequestError)
]
GONE = 499  # which nobody reads


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_has_a_status_of_the_contract(kind: type[RequestError]) -> None:
    error = kind("what is wrong; what mends it")
    assert error.status in {*ERRORS, GONE}
    assert error.retry_after is None
    assert str(error) == "what is wrong; what mends it"


def test_an_error_may_say_when_to_ask_again() -> None:
    assert OverloadedError("full; ask again later", 3).retry_after == 3


def test_a_deadline_that_the_client_gave_is_its_own_fault() -> None:
    late = DeadlineError("too late", 2, by_client=True)
    assert (late.status, late.retry_after) == (408, 2)
    assert DeadlineError("too late").status == DeadlineError.status == 504
