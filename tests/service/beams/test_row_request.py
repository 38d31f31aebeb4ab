"""A row goes on from a prompt, or a part of it, with the pictures that are shown there."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engines import STARTS_VLLM

pytestmark = STARTS_VLLM

ROOT = list(range(100, 130))


def root() -> Any:
    from vllm import SamplingParams
    from vllm.multimodal.inputs import MultiModalFeatureSpec, PlaceholderRange
    from vllm.v1.request import Request

    shown = [
        MultiModalFeatureSpec(None, "image", name, PlaceholderRange(offset, 4))
        for name, offset in (("one", 3), ("two", 13), ("three", 20))
    ]
    return Request("client", ROOT, SamplingParams(max_tokens=1), None, mm_features=shown)


def test_a_row_has_what_was_spelled_behind_the_prompt() -> None:
    from vllm import SamplingParams

    from service.beams.row_request import ROWS, row_request

    row = row_request(root(), "client/1", [7, 8], SamplingParams())
    assert row.prompt_token_ids == [*ROOT, 7, 8]
    assert row.client_index == ROWS
    assert [one.identifier for one in row.mm_features] == ["one", "two", "three"]


def test_a_part_of_a_prompt_has_its_own_pictures_at_their_places() -> None:
    from vllm import SamplingParams

    from service.beams.row_request import row_request

    row = row_request(root(), "client/1", [7], SamplingParams(), part=(10, 20))
    assert row.prompt_token_ids == [*ROOT[10:20], 7]
    (feature,) = row.mm_features
    assert (feature.identifier, feature.mm_position.offset) == ("two", 3)
    assert row_request(root(), "client/2", [7], SamplingParams(), part=(17, 20)).mm_features == []


def test_log_probabilities_are_asked_from_a_place_on() -> None:
    from vllm import SamplingParams

    from service.beams.row_request import ask_logprobs, first_asked, row_request

    asked, plain = SamplingParams(), SamplingParams()
    ask_logprobs(asked, 30, [[7, 9], [8, 1]])
    ask_logprobs(plain, 30, [])
    assert asked.prompt_logprob_token_ids.tolist() == [[7, 9], [8, 1]]
    assert first_asked(row_request(root(), "client/1", [7, 8], asked)) == 29
    assert first_asked(row_request(root(), "client/2", [7, 8], plain)) is None


@pytest.mark.parametrize("scores", [None, [[-1.0], [np.nan]], [[-np.inf]]])
def test_what_the_engine_cannot_tell_is_nothing(scores: Any) -> None:
    from service.beams.row_request import told_logprobs

    output: Any = SimpleNamespace(
        prompt_token_id_logprobs=None if scores is None else np.array(scores, np.float32)
    )
    assert told_logprobs(output) is None


def test_an_answer_goes_to_the_client_that_asked() -> None:
    from vllm.v1.engine import FinishReason

    from service.beams.row_request import argument_of, put_output

    request, outputs = root(), {}
    request.client_index = 2
    assert argument_of(request) == {}
    put_output(outputs, request, FinishReason.STOP, {"told": 1})
    (output,) = outputs[2].outputs
    assert (output.request_id, output.finish_reason) == ("client", FinishReason.STOP)
    assert output.kv_transfer_params == {"told": 1}
