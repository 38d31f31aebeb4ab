"""Runs alternate, and the record holds what was measured."""

import json
import math
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.measure import interleaved, interleaved_async, medians, record
from benchmarks.plot import bars, lines


async def test_every_round_runs_each_task_once() -> None:
    order: list[str] = []
    tasks = {name: (lambda name=name: order.append(name)) for name in ("a", "b")}
    seconds = interleaved(tasks, 3)
    assert order == ["a", "b"] * 4
    assert [len(runs) for runs in seconds.values()] == [3, 3]

    async def told(turn: int) -> float:
        return float(turn)

    assert await interleaved_async({"a": told}, 3) == {"a": [1.0, 2.0, 3.0]}
    assert medians({"a": [3.0, 1.0, 2.0]}) == {"a": 2.0}


def test_the_last_line_names_the_ratios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record("trial", {"ours_to_theirs": 1 / 3}, {"seconds": [1, 2]}, tmp_path)
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last == {"benchmark": "trial", "ours_to_theirs": 0.3333}
    kept = json.loads((tmp_path / "trial.json").read_text())
    assert kept["measured"] == {"seconds": [1, 2]}
    assert kept["machine"]["packages"]["torch"]


def test_plots_are_drawn(tmp_path: Path) -> None:
    panel = {"ours": {"one": 1.0, "two": 2.0}, "theirs": {"one": 10.0, "two": math.nan}}
    bars("bars", "Bars", "ms", {"left": panel, "right": panel}, tmp_path)
    lines("lines", "Lines", ("x", "y"), {"ours": [(1, 1), (10, 2)]}, tmp_path)
    for name in ("bars", "lines"):
        with Image.open(tmp_path / f"{name}.png") as drawn:
            assert min(drawn.size) > 300
