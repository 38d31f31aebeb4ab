"""The processors follow requests through a batch that changes."""

import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import stepping
import torch
from stepping import (
    LONGEST,
    RunnerV1,
    RunnerV2,
    expected_beams,
    greedy,
    request_of,
    run_all,
    scheduler_of,
)
from torch import Tensor
from vllm import SamplingParams
from vllm.v1.request import Request
from vllm.v1.sample.logits_processor import BatchUpdate, MoveDirectionality
from walks import random_walk, walk_of

from semcore.trie.walk import ROOT, Walk, load_walk
from service.beams.layer_files import LayerFiles, open_layers
from service.beams.logits_processor import (
    TrieLogitsProcessor,
    TrieLogitsProcessorV2,
    position_argument,
)
from service.beams.scheduler import search_argument
from service.beams.weighing import RESULT, weighing_argument

VOCABULARY = 12
SLOTS = 8
SEQUENCES = [(3, 4, 9, 2), (3, 5, 2), (6, 7, 8, 10, 2), (6, 7, 9, 2), (11, 2)]


def saved(folder: Path) -> tuple[Walk, str]:
    stem = folder / "image"
    walk_of(SEQUENCES).save(stem)
    return load_walk(stem), str(stem)


def files(stem: str) -> LayerFiles:
    return ((stem, ""),)


def params(argument: dict[str, Any] | None = None) -> SamplingParams:
    return SamplingParams(extra_args=argument)


def allowed(row: Tensor) -> list[int]:
    return row.isfinite().nonzero().flatten().tolist()


def runner_1() -> TrieLogitsProcessor:
    config: Any = SimpleNamespace(scheduler_config=SimpleNamespace(max_num_seqs=SLOTS))
    return TrieLogitsProcessor(config, torch.device("cpu"), False)


def update(size: int, added: Any = (), removed: Any = (), moved: Any = ()) -> BatchUpdate:
    return BatchUpdate(size, removed=removed, added=added, moved=moved)


def test_a_request_is_followed_to_its_end(tmp_path: Path) -> None:
    walk, stem = saved(tmp_path)
    processor = runner_1()
    tokens: list[int] = []
    processor.update_state(update(1, [(0, params(position_argument(files(stem))), None, tokens)]))
    position = ROOT
    while not tokens or tokens[-1] != 2:
        logits = processor.apply(torch.randn(1, VOCABULARY))
        assert allowed(logits[0]) == walk.allowed(position).tolist()
        tokens.append(int(logits[0].argmax()))
        step = walk.step(position, tokens[-1])
        assert step is not None
        position = step[0]
        processor.update_state(None)
    assert tuple(tokens) in SEQUENCES


def test_a_prompt_in_parts_waits_at_its_place(tmp_path: Path) -> None:
    walk, stem = saved(tmp_path)
    processor = runner_1()
    tokens: list[int] = []
    processor.update_state(update(1, [(0, params(position_argument(files(stem))), None, tokens)]))
    for _ in range(3):
        assert allowed(processor.apply(torch.zeros(1, VOCABULARY))[0]) == [3, 6, 11]
        processor.update_state(None)
    logits = processor.apply(torch.zeros(1, VOCABULARY))
    tokens.append(int(logits[0].argmax()))
    processor.update_state(None)
    step = walk.step(ROOT, tokens[0])
    assert step is not None
    following = processor.apply(torch.zeros(1, VOCABULARY))
    assert allowed(following[0]) == walk.allowed(step[0]).tolist()


def test_requests_come_go_and_change_places(tmp_path: Path) -> None:
    walk, stem = saved(tmp_path)
    inside = walk.follow((6, 7))
    assert inside is not None
    processor = runner_1()
    mine = params(position_argument(files(stem), (inside[0],), 2))
    added = [
        (0, params(), None, []), (1, mine, None, []), (2, params(position_argument(())), None, []),
        (3, params(position_argument(())), None, []), (4, params(), None, []),
    ]  # fmt: skip
    processor.update_state(update(5, added))
    raw = torch.randn(5, VOCABULARY)
    logits = processor.apply(raw.clone())
    assert torch.equal(logits[[0, 4]], raw[[0, 4]])
    assert allowed(logits[1]) == [8, 9]
    assert torch.allclose(logits[2:4], raw[2:4].log_softmax(dim=-1))
    # 0 leaves, 3 moves into its place, 1 and 2 swap; none has brought forth a token.
    swap, one_way = MoveDirectionality.SWAP, MoveDirectionality.UNIDIRECTIONAL
    processor.update_state(update(4, removed=[0], moved=[(3, 0, one_way), (1, 2, swap)]))
    logits = processor.apply(torch.zeros(4, VOCABULARY))
    assert [len(allowed(row)) for row in logits] == [VOCABULARY, VOCABULARY, 2, VOCABULARY]
    assert allowed(logits[2]) == [8, 9]
    # A request that comes back has spelled something since its argument was made.
    processor.update_state(update(1, [(0, mine, None, [8])], removed=[0, 1, 2, 3]))
    assert allowed(processor.apply(torch.zeros(1, VOCABULARY))[0]) == [10]


def test_two_indexes_serve_side_by_side(tmp_path: Path) -> None:
    _, stem = saved(tmp_path)
    walk_of([(5, 2), (7, 2)]).save(tmp_path / "newer")
    processor = runner_1()
    stems = [stem, str(tmp_path / "newer"), stem]
    added = [(n, params(position_argument(files(s))), None, []) for n, s in enumerate(stems)]
    processor.update_state(update(3, added))
    logits = processor.apply(torch.zeros(3, VOCABULARY))
    assert [allowed(row) for row in logits] == [[3, 6, 11], [5, 7], [3, 6, 11]]


def test_more_indexes_than_are_kept_open(tmp_path: Path) -> None:
    processor = runner_1()
    for number in range(20):
        stem = tmp_path / str(number)
        walk_of([(3 + number % 8, 2), (2,)]).save(stem)
        added = [(0, params(position_argument(files(str(stem)))), None, [])]
        processor.update_state(update(1, added))
        logits = processor.apply(torch.zeros(1, VOCABULARY))
        assert allowed(logits[0]) == [2, 3 + number % 8]


def test_a_walk_that_is_gone_lets_nothing_be_spelled(tmp_path: Path) -> None:
    _, stem = saved(tmp_path)
    processor = runner_1()
    stems = [stem, str(tmp_path / "gone")]
    added = [(n, params(position_argument(files(s))), None, []) for n, s in enumerate(stems)]
    processor.update_state(update(2, added))
    logits = processor.apply(torch.zeros(2, VOCABULARY))
    assert [allowed(row) for row in logits] == [[3, 6, 11], []]


def test_runner_2_keeps_requests_by_slot(tmp_path: Path) -> None:
    walk, stem = saved(tmp_path)
    states: Any = SimpleNamespace(
        max_num_reqs=SLOTS,
        device=torch.device("cpu"),
        prefill_len=SimpleNamespace(np=np.full(SLOTS, 5)),
    )
    processor = TrieLogitsProcessorV2(None, states)  # type: ignore[arg-type]

    def step(slots: list[int], visible: list[int]) -> Tensor:
        context: Any = SimpleNamespace(
            idx_mapping_np=np.array(slots, dtype=np.int32),
            # vLLM pads it, where it runs a captured graph of more requests.
            seq_lens_upper_bound_np=np.array([*visible, 0, 0]),
        )
        return processor.apply(torch.zeros(len(slots), VOCABULARY), context)

    assert processor.add_request(4, params(position_argument(files(stem))))
    assert not processor.add_request(7, params())
    # The prompt of slot 4 is read in two parts.
    assert [len(allowed(row)) for row in step([7, 4], [5, 3])] == [VOCABULARY, 3]
    logits = step([4, 7], [5, 6])
    assert allowed(logits[0]) == [3, 6, 11]
    following = walk.step(ROOT, int(logits[0].argmax()))
    assert following is not None
    logits = step([7, 4], [7, 6])
    assert allowed(logits[1]) == walk.allowed(following[0]).tolist()
    assert not processor.add_request(4, params())
    assert torch.equal(step([4], [5]), torch.zeros(1, VOCABULARY))


def test_retired_layers_are_let_go(tmp_path: Path) -> None:
    processor = runner_1()
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        walk_of([(3, 2), (4, 2)]).save(folder / "image")
        added = [(0, params(position_argument(files(str(folder / "image")))), None, [])]
        processor.update_state(update(1, added))
        processor.apply(torch.zeros(1, VOCABULARY))
        processor.update_state(update(0, removed=[0]))
        shutil.rmtree(folder)
    mapped = Path("/proc/self/maps").read_text()
    kept = {number for number in range(5) if f"{tmp_path}/{number}/" in mapped}
    assert kept <= {4}


ROWS, WIDTH = 12, 5


def requests_of(files: LayerFiles, seed: int) -> list[Request]:
    """Searches of each kind, answers to weigh, and requests that have nothing to do with them."""
    rng = random.Random(seed)

    def prompt() -> list[int]:
        return [rng.randrange(stepping.VOCABULARY) for _ in range(rng.randrange(3, 30))]

    asked: list[Request] = []
    for number in range(6):
        argument = search_argument(
            files, WIDTH, constrained=number != 4, leaf_limit=10 if number % 2 else 0
        )
        asked.append(request_of(f"search {number}", prompt(), greedy(LONGEST, argument)))
    answers = [[[rng.randrange(20), 3], [5, 7]] for _ in range(6)]
    asked.append(request_of("weighing", prompt(), greedy(1, weighing_argument(answers))))
    asked += [request_of(f"other {number}", prompt(), greedy(6)) for number in range(3)]
    rng.shuffle(asked)
    return asked


# Blocks of the cache: enough; so few that rows are preempted; so few that some searches have to go.
@pytest.mark.parametrize("blocks", [100, 26, 22])
@pytest.mark.parametrize("seed", range(3))
def test_both_runners_mask_alike(tmp_path: Path, blocks: int, seed: int) -> None:
    """Through vLLM's own scheduler, with prompts read in parts, rows that come, rest, move and are
    preempted, in a batch that is padded."""
    random_walk(seed).save(tmp_path / "image")
    files = ((str(tmp_path / "image"), ""),)
    masks: list[dict[tuple[str, int], Tensor]] = []
    told: list[dict[str, Any]] = []
    preempted = []
    for two in (False, True):
        runner = RunnerV2(ROWS) if two else RunnerV1(ROWS, seed)
        scheduler = scheduler_of(ROWS, blocks, 16, two=two)
        asked = requests_of(files, seed)
        last = run_all(scheduler, runner, asked)
        assert last.keys() == {request.request_id for request in asked}
        assert runner.half_read
        assert scheduler.kv_cache_manager.block_pool.get_num_free_blocks() == blocks - 1
        if isinstance(runner, RunnerV1):
            assert runner.swaps
        masks.append(runner.masks)
        preempted.append(runner.preempted)
        results = {n: (o.kv_transfer_params or {}).get(RESULT, {}) for n, o in last.items()}
        told.append(
            {
                n: {k: r.get(k) for k in ("leaves", "logprobs", "choices")}
                for n, r in results.items()
            }
        )
        for request in asked if blocks == 100 else ():
            if request.request_id in ("search 0", "search 2"):
                prompt = request.prompt_token_ids or []
                expected = expected_beams(open_layers(files), prompt, WIDTH)
                assert results[request.request_id]["leaves"] == [one.leaves for one in expected]
    assert masks[0].keys() == masks[1].keys()
    assert len(masks[0]) > 30
    assert preempted[0] or blocks == 100
    assert [key for key, mask in masks[0].items() if not torch.equal(mask, masks[1][key])] == []
    assert told[0] == told[1]
    assert preempted[0] == preempted[1]
