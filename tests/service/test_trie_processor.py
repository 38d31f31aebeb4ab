"""The processor masks to the walk and keeps the log-probabilities of the whole vocabulary."""

from pathlib import Path

import numpy as np
import torch
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate

from semcore.walk import build_walk
from service.trie_processor import (
    ChoicePosition,
    NodePosition,
    TrieLogitsProcessor,
    TrieLogitsProcessorV2,
    mask_logits,
    position_argument,
)


def stem_of(folder: Path) -> Path:
    build_walk([(3, 4, 2), (3, 5, 2), (6, 2)], [0, 1, 2]).save(folder / "image")
    return folder / "image"


def allowed(row: torch.Tensor) -> list[int]:
    return torch.isfinite(row).nonzero().flatten().tolist()


def test_masks_after_the_softmax(tmp_path: Path) -> None:
    stem = str(stem_of(tmp_path))
    logits = torch.randn(4, 8)
    before = torch.log_softmax(logits, dim=-1)
    untouched = logits[1].clone()
    positions = {0: NodePosition(stem, 0), 2: NodePosition(stem, 1), 3: NodePosition("", 0)}
    masked = mask_logits(logits, positions)
    assert allowed(masked[0]) == [3, 6]
    assert allowed(masked[2]) == [4, 5]
    assert torch.equal(masked[1], untouched)
    for row in (0, 2):
        places = allowed(masked[row])
        assert torch.allclose(masked[row, places], before[row, places])
    assert torch.allclose(masked[3], before[3])
    chosen = mask_logits(torch.randn(1, 8), {0: ChoicePosition((5, 1))})
    assert allowed(chosen[0]) == [1, 5]


def test_follows_the_batch_of_runner_1(tmp_path: Path) -> None:
    processor = TrieLogitsProcessor(None, torch.device("cpu"), False)  # type: ignore[arg-type]
    params = SamplingParams(extra_args=position_argument(stem_of(tmp_path), 0))
    added = [(0, SamplingParams(), None, []), (1, params, None, [])]
    processor.update_state(BatchUpdate(2, removed=[], added=added, moved=[]))
    logits = processor.apply(torch.zeros(2, 8))
    assert [len(allowed(row)) for row in logits] == [8, 2]
    processor.update_state(BatchUpdate(1, removed=[1], added=[], moved=[]))
    assert torch.equal(processor.apply(torch.zeros(1, 8)), torch.zeros(1, 8))


def test_follows_the_slots_of_runner_2(tmp_path: Path) -> None:
    class Context:
        idx_mapping_np = np.array([7, 4])

    processor = TrieLogitsProcessorV2(None, None)  # type: ignore[arg-type]
    params = SamplingParams(extra_args=position_argument(stem_of(tmp_path), 1))
    assert processor.add_request(4, params)
    assert not processor.add_request(7, SamplingParams())
    logits = processor.apply(torch.zeros(2, 8), Context())  # type: ignore[arg-type]
    assert [len(allowed(row)) for row in logits] == [8, 2]
    assert not processor.add_request(4, SamplingParams())
    assert torch.equal(processor.apply(torch.zeros(2, 8), Context()), torch.zeros(2, 8))  # type: ignore[arg-type]
