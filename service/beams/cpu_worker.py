"""vLLM's worker on a CPU, whose model runner tells log-probabilities of prompts."""

from __future__ import annotations

from vllm.v1.worker.cpu_worker import CPUWorker

from service.beams.scoring import adopt


class ScoringCPUWorker(CPUWorker):  # type: ignore[misc]
    def init_device(self) -> None:
        super().init_device()
        adopt(self.model_runner)
