"""Errors of the service, each with the HTTP status that it answers with."""

from semcore.errors import SemcoreError


class RequestError(SemcoreError):
    """The request cannot be served as it is.

    Attributes:
        retry_after: whole seconds after which it may be; None where waiting does not help.
    """

    status = 400

    def __init__(self, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class BadImageError(RequestError):
    """The upload is no picture, or a damaged one."""

    status = 415


class ImageTooLargeError(RequestError):
    """The upload has too many bytes or pixels."""

    status = 413


class BodyTooLargeError(RequestError):
    """The body has more bytes or parts than its route takes."""

    status = 413


class SlowBodyError(RequestError):
    """The client has taken too long to send its request."""

    status = 408


class InvalidQueryError(RequestError):
    """A parameter is outside of what this service allows."""

    status = 422


class NotFoundError(RequestError):
    """There is no such item."""

    status = 404


class UnauthorizedError(RequestError):
    """The key is missing or wrong."""

    status = 401


class ForbiddenError(RequestError):
    """The key is for other things."""

    status = 403


class NotReadyError(RequestError):
    """The service is still warming up."""

    status = 503


class OverloadedError(RequestError):
    """There is no room for another request now."""

    status = 429


class DeadlineError(RequestError):
    """The time was not enough for any answer.

    Attributes:
        by_client: it was the client that gave so little, which is no fault of the service.
    """

    status = 504

    def __init__(
        self, sentence: str, retry_after: int | None = None, *, by_client: bool = False
    ) -> None:
        super().__init__(sentence, retry_after)
        if by_client:
            self.status = 408


OUTCOMES: dict[type[Exception], str] = {OverloadedError: "refused", DeadlineError: "late"}
"""What a search counts as that ends so; other errors count as failed."""


class ClientGoneError(RequestError):
    """The client has closed its connection; nobody reads this."""

    status = 499


class StaleCursorError(RequestError):
    """The index has changed since the page before."""

    status = 409


class ReloadError(RequestError):
    """The bundle cannot replace the current one, which goes on serving."""

    status = 422
