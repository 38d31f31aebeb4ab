"""vLLM's worker on a GPU, whose model runner of either kind tells log-probabilities of prompts."""

from __future__ import annotations

from vllm.v1.worker.gpu_worker import Worker

from service.beams.scoring import ScoringWorkers


class ScoringWorker(ScoringWorkers, Worker):  # type: ignore[misc]
    pass
