"""The program of a checkout, in a process of its own: ours beside that of an earlier commit.

Make the checkout of the earlier one with ``git worktree add FOLDER COMMIT``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import program_worker
from benchmarks.program_worker import ANSWER

OURS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Searched:
    """Attributes:
    seconds: that all searches took together.
    steps: the engine's, of each search.
    items: numbers of those that were found.
    """

    seconds: float
    steps: list[int]
    items: list[int]


class Program:
    """Its engine, started on a model."""

    def __init__(self, checkout: Path, model: Path, max_logprobs: int) -> None:
        """Raises ``RuntimeError`` if it does not start."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", program_worker.__file__, str(model), str(max_logprobs)],
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
        leaf_limit: int | None = None,
    ) -> Searched:
        """
        Args:
            prompts: one a search.
            clients: searches at a time.
            judged: after each search, verification prompts and paths of their pictures.
            leaf_limit: the setting; None: the default. Earlier programs have no such thing.
        """
        return Searched(
            **self._ask(
                prompts=prompts,
                walk=str(walk),
                beam_width=beam_width,
                clients=clients,
                judged=judged,
                leaf_limit=leaf_limit,
            )
        )

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
        raise RuntimeError("the program has ended; what it says stands above")
