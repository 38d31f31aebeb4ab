"""Workers: one step of the job over many batches, in this process or on Ray.

The step is the same code either way. On Ray each worker makes the step once, and batches go through
Ray Data; ``RAY_ADDRESS`` names a cluster, all of whose machines must see pictures and models under
the same paths, otherwise the workers are processes of this machine.
"""

from __future__ import annotations

import os
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from offline.progress import progress
from semcore.errors import SemcoreError
from semcore.extras import MissingExtraError
from semcore.identifiers.encoder import Encoder, Vectors
from semcore.identifiers.keywords import KeywordRanker, Keywords

Batch = TypeVar("Batch")
Result = TypeVar("Result")
_TEXTS = 4096  # a batch of vectors or keywords


class Workers(ABC):
    """Where steps are done. They raise what a step raises, if that is a :class:`SemcoreError`."""

    @abstractmethod
    def each(
        self, step: Callable[[Batch], Result], batches: Sequence[Batch], title: str
    ) -> Iterator[Result]:
        """What the step gives for each batch, in order, under a progress bar."""

    @abstractmethod
    def with_each(
        self,
        make: Callable[[], Callable[[Batch], Result]],
        batches: Sequence[Batch],
        title: str,
    ) -> Iterator[Result]:
        """The same with a step that is dear to make: ``make`` is called once a worker."""


class Here(Workers):
    """This process."""

    def each(
        self, step: Callable[[Batch], Result], batches: Sequence[Batch], title: str
    ) -> Iterator[Result]:
        return map(step, progress(batches, title, total=len(batches)))

    def with_each(
        self,
        make: Callable[[], Callable[[Batch], Result]],
        batches: Sequence[Batch],
        title: str,
    ) -> Iterator[Result]:
        return self.each(make(), batches, title)


class RayWorkers(Workers):
    """Processes of Ray, each with a CPU; what is dear to make has a GPU where there are some."""

    def __init__(self, count: int) -> None:
        """Raises :class:`MissingExtraError` if Ray is not installed."""
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("--workers", "ray") from error
        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=False)
        else:
            ray.init("local", num_cpus=count, log_to_driver=False, include_dashboard=False)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        self._gpus = 1 if ray.cluster_resources().get("GPU") else 0
        self._count = count

    def each(
        self, step: Callable[[Batch], Result], batches: Sequence[Batch], title: str
    ) -> Iterator[Result]:
        def task(row: dict[str, bytes]) -> dict[str, bytes]:
            return _outcome(step, row)

        return self._run(task, batches, title)

    def with_each(
        self,
        make: Callable[[], Callable[[Batch], Result]],
        batches: Sequence[Batch],
        title: str,
    ) -> Iterator[Result]:
        return self._run(_Actor, batches, title, fn_constructor_args=(make,), num_gpus=self._gpus)

    def _run(self, step: object, batches: Sequence[Any], title: str, **own: Any) -> Iterator[Any]:
        import ray

        if not batches:
            return
        # Bytes, since tables have no column for what batches are made of.
        rows = ray.data.from_items(
            [{"batch": pickle.dumps(batch)} for batch in batches], override_num_blocks=len(batches)
        )
        most = min(self._count, len(batches))
        done = rows.map(step, concurrency=most, num_cpus=1, **own)
        for row in progress(done.iter_rows(), title, total=len(batches)):
            result, error = pickle.loads(row["outcome"])
            if error is not None:
                raise error
            yield result


class SpreadEncoder(Encoder):
    """A sentence encoder whose texts go to workers."""

    def __init__(self, name: str, workers: Workers, texts: int = _TEXTS) -> None:
        """``texts``: of a batch."""
        super().__init__(name)
        self._name = name
        self._workers = workers
        self._texts = texts

    def encode(self, texts: list[str]) -> Vectors:
        unique = sorted(set(texts), key=len)
        batches = [unique[at : at + self._texts] for at in range(0, len(unique), self._texts)]
        found = self._workers.with_each(partial(_encoding, self._name), batches, "vectors")
        vectors = np.concatenate(list(found))
        row = {text: index for index, text in enumerate(unique)}
        return vectors[[row[text] for text in texts]]


class SpreadRanking:
    """Keywords from workers, as :func:`semcore.identifiers.keywords.extract_keywords` wants."""

    def __init__(self, workers: Workers, texts: int = _TEXTS) -> None:
        """``texts``: of a batch."""
        self._workers = workers
        self._texts = texts

    def __call__(
        self, ranker: KeywordRanker, documents: list[str], vectors: Vectors
    ) -> list[Keywords]:
        parts = [slice(at, at + self._texts) for at in range(0, len(documents), self._texts)]
        batches = [(documents[part], vectors[part]) for part in parts]
        found = self._workers.each(partial(_ranked, ranker), batches, "keywords")
        return [keywords for batch in found for keywords in batch]


class _Actor:
    """Makes the step when the first batch comes, so that what is raised then has its way out."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]]) -> None:
        self._make = make
        self._step: Callable[[Any], Any] | None = None

    def __call__(self, row: dict[str, bytes]) -> dict[str, bytes]:
        return _outcome(self._do, row)

    def _do(self, batch: object) -> object:
        if self._step is None:
            self._step = self._make()
        return self._step(batch)


def _outcome(step: Callable[[Any], Any], row: dict[str, bytes]) -> dict[str, bytes]:
    """What the step gives, or the error of ours that it raises: Ray would pass on its text only."""
    try:
        outcome: tuple[Any, SemcoreError | None] = step(pickle.loads(row["batch"])), None
    except SemcoreError as error:
        outcome = None, error
    return {"outcome": pickle.dumps(outcome)}


def _encoding(name: str) -> Callable[[list[str]], Vectors]:
    return Encoder(name).encode


def _ranked(ranker: KeywordRanker, batch: tuple[list[str], Vectors]) -> list[Keywords]:
    return ranker(*batch)
