"""Each thread has a connection of its own to a file that never changes."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from semcore.connections import Connections
from semcore.errors import BundleError

ROWS = "SELECT number FROM numbers"


def numbers(path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE numbers (number INTEGER)")
    connection.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(2000)])
    connection.commit()
    connection.close()
    return path


def test_threads_share_no_connection(tmp_path: Path) -> None:
    connections = Connections(numbers(tmp_path / "numbers.sqlite"))
    barrier = threading.Barrier(4)

    def own(_: int) -> sqlite3.Connection:
        barrier.wait()
        assert connections.own is connections.own
        return connections.own

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(own, range(4)))
    assert len({*found, connections.own}) == 5
    connections.close()


def test_what_is_being_read_is_read_to_its_end(tmp_path: Path) -> None:
    connections = Connections(numbers(tmp_path / "numbers.sqlite"))
    rows = connections.own.execute(ROWS)
    next(rows)
    connections.close()
    with ThreadPoolExecutor(1) as threads:  # also by another thread
        assert len(threads.submit(list, rows).result()) == 1999
    with pytest.raises(ValueError, match=r"numbers\.sqlite was closed"):
        _ = connections.own


@pytest.mark.parametrize("name", ["a?mode=rwc", "a#b", "a%41", "a b", "ü", "a&immutable=0"])
def test_any_name_is_that_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    numbers(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    connections = Connections(Path(name))
    assert len(connections.own.execute(ROWS).fetchall()) == 2000
    connections.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_nothing_is_written(tmp_path: Path) -> None:
    connections = Connections(numbers(tmp_path / "numbers.sqlite"))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connections.own.execute("DELETE FROM numbers")
    connections.close()
    with pytest.raises(BundleError, match=r"none\.sqlite cannot be opened"):
        Connections(tmp_path / "none.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.sqlite"]
