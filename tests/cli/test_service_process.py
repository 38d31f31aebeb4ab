"""A port is free, and a service that ends as it starts is said to."""

import socket
from pathlib import Path

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
