"""The worker on a CPU has a model runner that tells log-probabilities of prompts."""

import pytest

from service.beams.scoring import ScoringRunner


class Runner:
    pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the worker imports
def test_its_runner_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.v1.worker.cpu_worker import CPUWorker

    from service.beams.cpu_worker import ScoringCPUWorker

    def init_device(self: CPUWorker) -> None:
        self.model_runner = Runner()

    monkeypatch.setattr(CPUWorker, "init_device", init_device)
    worker = object.__new__(ScoringCPUWorker)
    worker.init_device()
    assert isinstance(worker.model_runner, ScoringRunner)
    assert isinstance(worker.model_runner, Runner)
