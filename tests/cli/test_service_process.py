"""A port is free, and a service that ends as it starts is said to."""

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.service_process import free_port, serving
from semcore.errors import SemcoreError


def test_another_port_where_the_wanted_one_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) not in (port, 0)
    assert free_port(port) == port


def test_says_that_the_service_ended(tmp_path: Path) -> None:
    with pytest.raises(SemcoreError, match="ended as it started"), serving(tmp_path / "none"):
        pass


def test_alone_it_has_none_of_the_settings_of_another_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMCORE_KEYS", "keys.json")
    environments: list[dict[str, str]] = []

    class Started(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, env: dict[str, str], **more: Any) -> None:
            environments.append(env)
            super().__init__(["false"], **more)

    monkeypatch.setattr("cli.service_process.subprocess.Popen", Started)
    for alone in (False, True):
        with (
            pytest.raises(SemcoreError, match="ended as it started"),
            serving(tmp_path, environment={"SEMCORE_DTYPE": "float32"}, alone=alone),
        ):
            pass
    assert [env.get("SEMCORE_KEYS") for env in environments] == ["keys.json", None]
    assert {env["SEMCORE_DTYPE"] for env in environments} == {"float32"}
