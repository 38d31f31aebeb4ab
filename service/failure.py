"""What a client is told of a failure."""

from __future__ import annotations

from fastapi.responses import JSONResponse

from service.errors import RequestError


def failed(error: Exception) -> JSONResponse:
    """Of an error of ours: 503 unless it is the client's to mend."""
    if isinstance(error, RequestError):
        return error_answer(error.status, str(error), error.retry_after)
    return error_answer(503, str(error))


def error_answer(status: int, sentence: str, retry_after: int | None = None) -> JSONResponse:
    """``retry_after``: seconds."""
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"error": sentence}, status_code=status, headers=headers)
