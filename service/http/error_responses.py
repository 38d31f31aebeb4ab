"""What a client is told of a failure."""

from __future__ import annotations

from fastapi.responses import JSONResponse

from service.errors import RequestError


def failed(error: Exception) -> JSONResponse:
    retry_after = error.retry_after if isinstance(error, RequestError) else None
    return error_answer(status_of(error), str(error), retry_after)


def status_of(error: Exception) -> int:
    """Of an error of ours: 503 unless it is the client's to mend."""
    return error.status if isinstance(error, RequestError) else 503


def error_answer(status: int, sentence: str, retry_after: int | None = None) -> JSONResponse:
    """``retry_after``: seconds."""
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"error": sentence}, status_code=status, headers=headers)
