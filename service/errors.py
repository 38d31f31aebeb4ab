"""Errors of the service, each with the HTTP status that it answers with."""

from semcore.errors import SemcoreError


class RequestError(SemcoreError):
    """The request cannot be served as it is."""

    status = 400


class BadImageError(RequestError):
    """The upload is no picture, or a damaged one."""

    status = 415


class ImageTooLargeError(RequestError):
    """The upload has too many bytes or pixels."""

    status = 413


class InvalidQueryError(RequestError):
    """A parameter is outside of what this service allows."""

    status = 422


class NotFoundError(RequestError):
    """There is no such item."""

    status = 404


class ForbiddenError(RequestError):
    """The admin key is missing or wrong."""

    status = 401


class NotReadyError(RequestError):
    """The service is still warming up."""

    status = 503


class ReloadError(RequestError):
    """The bundle cannot replace the current one, which goes on serving."""

    status = 422
