"""The program of an earlier commit, in a process of its own, for comparisons in one run.

Make its checkout with ``git worktree add FOLDER 44c460f``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import earlier_worker
from benchmarks.earlier_worker import ANSWER


class EarlierProgram:
    """Its engine, started on a model."""

    def __init__(self, checkout: Path, model: Path, max_logprobs: int) -> None:
        """Raises ``RuntimeError`` if it does not start."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", earlier_worker.__file__, str(model), str(max_logprobs)],
            env={**os.environ, "PYTHONPATH": str(checkout)},
            cwd=checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def search(
        self,
        prompts: Sequence[str],
        walk: Path,
        beam_width: int,
        clients: int = 1,
        judged: Sequence[tuple[str, str]] = (),
    ) -> tuple[float, list[int]]:
        """Seconds in all, and the engine's steps of each search.

        Args:
            prompts: one a search.
            clients: searches at a time.
            judged: after each search, verification prompts and paths of their pictures.
        """
        answer = self._ask(
            prompts=prompts, walk=str(walk), beam_width=beam_width, clients=clients, judged=judged
        )
        return answer["seconds"], answer["steps"]

    def weigh(self, prompt: str, answers: Sequence[Sequence[int]]) -> tuple[float, list[float]]:
        """Seconds, and the log-probability of each answer."""
        answer = self._ask(prompts=[prompt], answers=answers)
        return answer["seconds"], answer["logprobs"]

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _ask(self, **asked: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                answer: dict[str, Any] = json.loads(line.removeprefix(ANSWER))
                return answer
        raise RuntimeError("the earlier program has ended; what it says stands above")
