"""The account of a folder holds what was spent, whatever ended the run."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from offline.reproduction import expenses
from offline.reproduction.expenses import Expense, Expenses

KILLED = """
import sys
from pathlib import Path
from offline.reproduction import expenses
expenses._EVERY = 0.05
with expenses.Expenses(Path(sys.argv[1])).step("training"):
    print("begun", flush=True)
    while True:
        pass
"""


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_step_that_is_begun_again_costs_what_it_has_cost_in_all(tmp_path: Path) -> None:
    account = Expenses(tmp_path)
    assert account.steps == {}
    assert account.seconds == 0
    with pytest.raises(KeyboardInterrupt), account.step("training"):
        burn(0.05)
        raise KeyboardInterrupt
    first = account.steps["training"]
    assert first.starts == 1
    assert first.cpu_seconds >= 0.04  # the system counts in hundredths
    assert first.seconds > 0
    with account.step("asking"):
        pass
    with account.step("training"):
        burn(0.05)
    again = Expenses(tmp_path).steps
    assert list(again) == ["training", "asking"]
    assert again["training"].starts == 2
    assert again["training"].cpu_seconds >= first.cpu_seconds + 0.03
    assert Expenses(tmp_path).seconds == sum(one.seconds for one in again.values())
    assert not [one for one in threading.enumerate() if one.name == "expenses"]


def test_what_a_process_took_that_has_ended_counts(tmp_path: Path) -> None:
    account = Expenses(tmp_path)
    with account.step("asking"):
        subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert account.steps["asking"].cpu_seconds > 0.01


def test_a_run_that_is_killed_loses_little_of_its_account(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while not (tmp_path / "expenses.json").exists():
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    killed = Expenses(tmp_path).steps["training"]
    assert killed.starts == 1
    assert killed.seconds > 0
    with Expenses(tmp_path).step("training"):
        pass
    after = Expenses(tmp_path).steps["training"]
    assert after.starts == 2
    assert after.seconds > killed.seconds


def test_what_is_spent_is_written_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expenses, "_EVERY", 0.01)
    account = Expenses(tmp_path)
    with account.step("training"):
        while "training" not in account.steps:
            time.sleep(0.01)
        meanwhile = account.steps["training"]
        assert meanwhile != Expense()
    assert account.steps["training"].seconds > meanwhile.seconds
