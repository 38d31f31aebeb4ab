"""What the steps of a reproduction cost, over all the runs that it took."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from semcore.flush import write_whole

_FILE = "expenses.json"
_EVERY = 10.0  # seconds; a run that is killed loses no more of its account


@dataclass(frozen=True, slots=True)
class Expense:
    """Attributes:
    seconds: wall time.
    cpu_seconds: of this process and of the processes that it started and saw end.
    starts: how often the step was begun.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    starts: int = 0


class Expenses:
    """Keeps the account of a folder, in ``expenses.json``."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE
        self._lock = threading.Lock()

    @property
    def steps(self) -> dict[str, Expense]:
        """By name, in the order in which they were first begun."""
        if not self._file.exists():
            return {}
        rows = json.loads(self._file.read_text())
        return {name: Expense(**row) for name, row in rows.items()}

    @property
    def seconds(self) -> float:
        """Wall time of all steps."""
        return sum(one.seconds for one in self.steps.values())

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Account for what is done inside. Steps do not hold each other.

        What was spent is written every ten seconds, so that a step that is killed has cost what it
        had cost until then; of the processes that it started, only those count that had ended.
        """
        before = self.steps
        known = before.get(name, Expense())
        began, cpu = time.monotonic(), _cpu_seconds()

        def write() -> None:
            with self._lock:
                now = replace(
                    known,
                    seconds=known.seconds + time.monotonic() - began,
                    cpu_seconds=known.cpu_seconds + _cpu_seconds() - cpu,
                    starts=known.starts + 1,
                )
                rows = {one: asdict(expense) for one, expense in {**before, name: now}.items()}
                write_whole(self._file, json.dumps(rows, indent=1))

        done = threading.Event()

        def keep_writing() -> None:
            while not done.wait(_EVERY):
                write()

        writer = threading.Thread(target=keep_writing, name="expenses", daemon=True)
        writer.start()
        try:
            yield
        finally:
            done.set()
            writer.join()
            write()


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
