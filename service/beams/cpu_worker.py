"""vLLM's worker on a CPU, whose model runner of either kind tells log-probabilities of prompts."""

from __future__ import annotations

from vllm.v1.worker.cpu_worker import CPUWorker

from service.beams.scoring import ScoringWorkers


class ScoringCPUWorker(ScoringWorkers, CPUWorker):  # type: ignore[misc]
    pass
