"""``semcore``: one command in front of the offline job and the service."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

from cli import (
    demo,
    doctor,
    inspection,
    key,
    measuring,
    offline_job,
    profile,
    reproduce,
    search,
    serve,
)
from cli.exit_codes import EPILOG, foreseen

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_P = ParamSpec("_P")
_R = TypeVar("_R")

app = typer.Typer(
    help="Generative cross-modal retrieval: text finds images, an image finds texts.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _plain_errors(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Print an error that was foreseen as its one sentence, and exit with its code."""

    @wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except Exception as error:
            if (found := foreseen(error)) is None:
                raise
            code, said = found
            print(f"semcore: {said}", file=sys.stderr)
            raise typer.Exit(code) from error

    return run


for _command in (
    offline_job.corpus,
    offline_job.build,
    offline_job.train,
    offline_job.compact,
    measuring.evaluate,
    measuring.calibrate,
    serve.serve,
    search.search,
    inspection.inspect,
    key.key,
    doctor.doctor,
    profile.profile,
    demo.demo,
    reproduce.reproduce,
):
    app.command()(_plain_errors(_command))
