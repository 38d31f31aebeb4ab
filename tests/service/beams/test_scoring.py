"""A model runner V1 tells the log-probabilities of the tokens that requests ask for, however their
prompts are cut into steps."""

from copy import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from vllm import SamplingParams

from service.beams import scoring
from service.beams.scoring import adopt

WORDS, HIDDEN, LONGEST = 97, 8, 20
HEAD = torch.randn(WORDS, HIDDEN, generator=torch.Generator().manual_seed(0))


class Runner:
    """As much of vLLM's as is built on."""

    device, lora_config = torch.device("cpu"), None
    model = SimpleNamespace(compute_logits=lambda hidden: hidden @ HEAD.T)

    def __init__(self, **requests: Any) -> None:
        noise = torch.Generator().manual_seed(1)
        self.requests = requests
        self.seen = {name: torch.randn(LONGEST, HIDDEN, generator=noise) for name in requests}

    def sample_tokens(self, scheduled: dict[str, int]) -> SimpleNamespace:
        names = list(scheduled)
        starts = {name: self.requests[name].num_computed_tokens for name in names}
        self.input_batch = SimpleNamespace(req_ids=names, vocab_size=WORDS)
        self.query_start_loc = SimpleNamespace(np=np.cumsum([0, *scheduled.values()]))
        hidden = [self.seen[name][starts[name] :][:count] for name, count in scheduled.items()]
        assert self._get_prompt_logprobs_dict(torch.cat(hidden), scheduled) == {}
        for name, count in scheduled.items():
            self.requests[name].num_computed_tokens += count
        return SimpleNamespace(prompt_token_id_logprobs_dict={})

    def _get_prompt_logprobs_dict(self, *_: object) -> dict[str, Any]:
        return {}

    def _on_request_state_removed(self, req_id: str, _: object) -> None:
        del self.requests[req_id]


def asking(prompt: int, answer: list[int], computed: int, *beside: int) -> SimpleNamespace:
    """A request for the tokens of an answer, and others ``beside`` each, of whose prompt so many
    are computed."""
    params = copy(SamplingParams(max_tokens=1))
    choices = [[token, *beside] for token in answer]
    params.prompt_logprob_token_ids = np.array(choices, dtype=np.int32)
    params.prompt_logprob_start = prompt - 1
    return SimpleNamespace(
        sampling_params=params,
        prompt_token_ids=[*range(prompt), *answer],
        num_computed_tokens=computed,
    )


def step(runner: Any, **scheduled: int) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor]
    found = runner.sample_tokens(scheduled).prompt_token_id_logprobs_dict
    return found


def expected(runner: Any, name: str) -> torch.Tensor:
    params = runner.requests[name].sampling_params
    logprobs = (runner.seen[name] @ HEAD.T).log_softmax(dim=-1)
    choices = params.prompt_logprob_token_ids.tolist()
    return torch.stack(
        [logprobs[params.prompt_logprob_start + n, t] for n, t in enumerate(choices)]
    )


@pytest.fixture
def runner() -> Any:
    plain = SimpleNamespace(
        sampling_params=SamplingParams(), prompt_token_ids=[1, 2, 3], num_computed_tokens=3
    )
    found = Runner(
        first=asking(7, [3, 5, 8], 0),
        plain=plain,
        second=asking(7, [9, 1, 2, 4, 6], 6, 3, 90),
        late=asking(7, [9, 1], 7),
    )
    adopt(found)
    return found


@pytest.mark.parametrize("rows_at_a_time", [2, 1000])
def test_prompts_in_parts(
    runner: Any, rows_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_CELLS", WORDS * rows_at_a_time)
    assert step(runner, first=8, plain=1, second=4) == {}
    found = step(runner, plain=1, second=2, late=2, first=2)
    assert found.keys() == {"first", "second"}
    for name, logprobs in found.items():
        torch.testing.assert_close(logprobs, expected(runner, name))
    # It is told once, also where a request that was put aside begins again.
    runner.requests["second"].num_computed_tokens = 0
    assert step(runner, second=12) == {}


def test_what_was_computed_before_it_came_is_not_told(runner: Any) -> None:
    assert step(runner, late=2) == {}
    assert step(runner, plain=1) == {}


def test_a_request_that_has_gone_may_come_again(runner: Any) -> None:
    assert step(runner, first=10).keys() == {"first"}
    again = runner.requests["first"]
    runner._on_request_state_removed("first", None)
    again.num_computed_tokens = 6
    runner.requests["first"] = again
    found = step(runner, first=4)
    torch.testing.assert_close(found["first"], expected(runner, "first"))
