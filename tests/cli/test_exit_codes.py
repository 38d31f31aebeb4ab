"""Each way to end has its code and, where something went wrong, one sentence."""

import errno
import os
import signal
import socket
import subprocess
import sys
from functools import partial

import httpx
import pytest
from answering import answering
from typer.testing import CliRunner

from cli.exit_codes import MEANINGS, ExitCode, NothingFoundError, foreseen
from cli.main import app
from semcore.client import ServiceError
from semcore.errors import BundleError


def test_the_help_tells_them() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    for code, said in MEANINGS.items():
        assert f"{code:d}: {said}" in " ".join(shown.split())
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BundleError("the bundle is damaged"), 1),
        (ServiceError("top_k is too large", 422), 1),
        (ServiceError("the service does not answer", 0), 3),
        (ServiceError("no room", 429), 3),
        (ServiceError("warming up", 503), 3),
        (httpx.ConnectError("refused"), 3),
        (httpx.ReadTimeout("too long"), 3),
        (httpx.InvalidURL("Invalid port: 'x'"), 2),
        (NothingFoundError("nothing was found"), 4),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/root/x"), 1),
    ],
)
def test_errors_that_were_foreseen(error: Exception, code: int) -> None:
    found = foreseen(error)
    assert found is not None
    assert found[0] == code
    assert str(error) in found[1]


@pytest.mark.parametrize("error", [ValueError("a fault"), BrokenPipeError(errno.EPIPE, "gone")])
def test_faults_of_the_program_keep_their_traceback(error: Exception) -> None:
    assert foreseen(error) is None


def test_a_sentence_is_one_line() -> None:
    assert foreseen(OSError("there is no such model\n  at the hub")) == (
        ExitCode.FAILED,
        "there is no such model at the hub",
    )


WELL = (200, b'{"status": "alive"}')


@pytest.mark.parametrize(
    ("health", "other", "said"),
    [
        (WELL, (503, b'{"error": "warming up"}'), "warming up"),
        (WELL, (429, b'{"error": "no room"}'), "no room"),
        ((503, b'{"error": "the engine has died"}'), WELL, "the engine has died"),
        ((404, b"<html>"), WELL, "/healthz answered 404"),
        ((200, b"<html>"), WELL, "/healthz answered 200"),
        ((200, b"[]"), WELL, "/healthz answered 200"),
    ],
)
@pytest.mark.parametrize("command", ["search", "inspect"])
def test_a_service_that_is_not_there_or_not_ready(
    command: str, health: tuple[int, bytes], other: tuple[int, bytes], said: str
) -> None:
    with answering(lambda path: health if path == "/healthz" else other) as url:
        result = CliRunner().invoke(app, [command, "a boat", "--url", url])
    assert result.exit_code == 3
    assert said in result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["search", "inspect"])
@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("http://127.0.0.1:1", 3, "semcore serve"),
        ("127.0.0.1:1", 3, "http://"),
        ("http://127.0.0.1:port", 2, "http://127.0.0.1:8080"),
    ],
)
def test_an_address_where_nothing_is(command: str, url: str, code: int, said: str) -> None:
    result = CliRunner().invoke(app, [command, "a boat", "--url", url])
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["search", "a boat", "--verify", "perhaps"]).exit_code == 2
    assert CliRunner().invoke(app, ["inspect", "x", "--kind", "sound"]).exit_code == 2


def test_an_interruption_is_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = [sys.executable, "-m", "cli", "search", "a boat", "--url"]
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        # A shell has what runs in its background ignore interruptions, and children inherit that.
        listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        with subprocess.Popen(
            [*command, url], stderr=subprocess.PIPE, preexec_fn=listening
        ) as process:
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate()
            connection.close()
    assert process.returncode == 130
    assert b"Traceback" not in said
