"""``semcore``: one command in front of the offline job and the service."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

from cli import demo, doctor, key, offline_job, online, profile, reproduce
from semcore.errors import SemcoreError

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_P = ParamSpec("_P")
_R = TypeVar("_R")

app = typer.Typer(
    help="Generative cross-modal retrieval: text finds images, an image finds texts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _plain_errors(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Print an error that was foreseen as its one sentence, and exit with 1."""

    @wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except SemcoreError as error:
            print(f"semcore: {error}", file=sys.stderr)
            raise typer.Exit(1) from error

    return run


for _command in (
    offline_job.corpus,
    offline_job.build,
    offline_job.train,
    offline_job.compact,
    online.evaluate,
    online.calibrate,
    online.serve,
    online.search,
    key.key,
    doctor.doctor,
    profile.profile,
    demo.demo,
    reproduce.reproduce,
):
    app.command()(_plain_errors(_command))
