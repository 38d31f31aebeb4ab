"""vLLM's worker on a GPU, whose model runner of either kind tells log-probabilities of prompts."""

from __future__ import annotations

from typing import Any

from vllm.v1.worker.gpu_worker import Worker

from service.beams.scoring import adopt


class ScoringWorker(Worker):  # type: ignore[misc]
    def init_device(self) -> None:
        super().init_device()
        if not self.use_v2_model_runner:
            adopt(self.model_runner)

    def load_model(self, **kwargs: Any) -> None:
        super().load_model(**kwargs)
        prompts = getattr(self.model_runner, "prompt_logprobs_worker", None)
        if prompts is not None:
            # Runner V2 has them, but would tell logits where processed logits are asked for.
            prompts.logprobs_mode = "raw_logprobs"
