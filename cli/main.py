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
    facets,
    inspection,
    key,
    measuring,
    offline_job,
    profile,
    reading,
    reproduce,
    search,
    serve,
    similar,
)
from cli.exit_codes import EPILOG, foreseen
from cli.extras import missing_extra
from semcore.extras import Extra

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_P = ParamSpec("_P")
_R = TypeVar("_R")

app = typer.Typer(
    help="Generative cross-modal retrieval: text finds images, an image finds texts.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _plain_errors(command: Callable[_P, _R], extra: Extra | None) -> Callable[_P, _R]:
    """Print an error that was foreseen as its one sentence, and exit with its code.

    Args:
        extra: what the command needs beside a plain install.
    """

    @wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except Exception as error:
            name = getattr(command, "__name__", "")
            if (found := foreseen(missing_extra(error, name, extra) or error)) is None:
                raise
            code, said = found
            print(f"semcore: {said}", file=sys.stderr)
            raise typer.Exit(code) from error

    return run


_COMMANDS: tuple[tuple[Callable[..., None], Extra | None], ...] = (
    (offline_job.corpus, "offline"),
    (reading.look, "offline"),
    (offline_job.build, "offline"),
    (offline_job.train, "offline"),
    (offline_job.compact, "offline"),
    (measuring.evaluate, "offline"),
    (measuring.calibrate, "offline"),
    (serve.serve, "cpu"),
    (search.search, None),
    (similar.similar, None),
    (facets.facets, None),
    (inspection.inspect, None),
    (key.key, None),
    (doctor.doctor, "cpu"),
    (profile.profile, "offline"),
    (demo.demo, "cpu"),
    (reproduce.reproduce, "cpu"),
)
for _command, _extra in _COMMANDS:
    app.command()(_plain_errors(_command, _extra))
