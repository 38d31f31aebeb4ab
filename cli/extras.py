"""What a command needs beside a plain install, as a module that is not found tells it."""

from __future__ import annotations

from importlib.util import find_spec

from semcore.extras import Extra, MissingExtraError


def missing_extra(error: Exception, command: str, extra: Extra | None) -> MissingExtraError | None:
    """The error that a module of an extra is not installed; None if this error is another one.

    Args:
        extra: what the command needs; None: nothing beside a plain install.
    """
    if extra is None or not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    package = error.name.partition(".")[0]
    if find_spec(package) is not None:  # a part of it is not found, which no install mends
        return None
    return MissingExtraError(f"'semcore {command}'", extra)


def require_engine(command: str) -> None:
    """Raises :class:`MissingExtraError` where vLLM is not installed, before anything is done that
    is of no use without it."""
    if find_spec("vllm") is None:
        raise MissingExtraError(f"'semcore {command}'", "cpu")
