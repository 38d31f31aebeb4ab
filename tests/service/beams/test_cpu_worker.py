"""The worker on a CPU has a model runner that tells log-probabilities of prompts."""

import pytest

from service.beams.scoring import ScoringRunner


class Runner:
    pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the worker imports
@pytest.mark.parametrize("two", [True, False])
def test_a_runner_v1_is_adopted(two: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.v1.worker.cpu_worker import CPUWorker

    from service.beams.cpu_worker import ScoringCPUWorker

    def init_device(self: CPUWorker) -> None:
        self.use_v2_model_runner, self.model_runner = two, Runner()

    monkeypatch.setattr(CPUWorker, "init_device", init_device)
    worker = object.__new__(ScoringCPUWorker)
    worker.init_device()
    assert isinstance(worker.model_runner, ScoringRunner) != two
    assert isinstance(worker.model_runner, Runner)
