"""On a GPU a runner V1 is adopted, and a runner V2 tells log-probabilities in place of logits."""

from types import SimpleNamespace

import pytest

from service.beams.scoring import ScoringRunner


class Runner:
    pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the worker imports
@pytest.mark.parametrize("two", [True, False])
def test_both_runners_tell_log_probabilities(two: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.v1.worker.gpu_worker import Worker

    from service.beams.gpu_worker import ScoringWorker

    def init_device(self: Worker) -> None:
        self.use_v2_model_runner, self.model_runner = two, Runner()

    def load_model(self: Worker, *, load_dummy_weights: bool = False) -> None:
        if two:
            modes = SimpleNamespace(logprobs_mode="processed_logits")
            self.model_runner.prompt_logprobs_worker = modes

    monkeypatch.setattr(Worker, "init_device", init_device)
    monkeypatch.setattr(Worker, "load_model", load_model)
    worker = object.__new__(ScoringWorker)
    worker.init_device()
    worker.load_model(load_dummy_weights=False)
    assert isinstance(worker.model_runner, ScoringRunner) != two
    if two:
        assert worker.model_runner.prompt_logprobs_worker.logprobs_mode == "raw_logprobs"
