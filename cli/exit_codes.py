"""How a command ends: numbers that scripts may rely on, and the sentence for each error."""

from __future__ import annotations

import errno
from enum import IntEnum

from semcore.errors import SemcoreError


class ExitCode(IntEnum):
    """The parser of the command line gives 130, and 2 for whatever it cannot read."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    NO_SERVICE = 3
    NOTHING_FOUND = 4
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "could not be done; a sentence says why ('doctor': there is a fault)",
    ExitCode.WRONG_USAGE: "wrong usage",
    ExitCode.NO_SERVICE: "the service does not answer, is not ready or is full",
    ExitCode.NOTHING_FOUND: "nothing was found",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}
EPILOG = "\n".join(["Exit codes:", *(f"{code:d}: {said}" for code, said in MEANINGS.items())])
"""For the help."""

_LATER = (429, 502, 503)
_LOST = "start 'semcore serve', or name another one with --url"


class NothingFoundError(SemcoreError):
    """There is nothing of what was asked for."""


def foreseen(error: Exception) -> tuple[ExitCode, str] | None:
    """The exit code of an error, and what is to be said; None if it is a fault of the program."""
    import httpx

    from semcore.client import ServiceError

    said = " ".join(str(error).split())
    match error:
        case NothingFoundError():
            return ExitCode.NOTHING_FOUND, said
        case ServiceError(status=0):
            return ExitCode.NO_SERVICE, f"{said}; {_LOST}"
        case ServiceError() if error.status in _LATER:
            return ExitCode.NO_SERVICE, said
        case SemcoreError():
            return ExitCode.FAILED, said
        case httpx.TransportError():
            return ExitCode.NO_SERVICE, f"no service answers ({said}); {_LOST}"
        case httpx.InvalidURL():
            return ExitCode.WRONG_USAGE, f"{said}; an address looks like http://127.0.0.1:8080"
        case OSError() if error.errno != errno.EPIPE:
            return ExitCode.FAILED, said
    return None
