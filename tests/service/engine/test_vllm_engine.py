"""vLLM, float32, over HTTP: what it says of identifiers is what Hugging Face says."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import torch
from real_service import BEAM_WIDTH, QUERIES, ask, illegal_identifiers, queries_of

from offline.image_inputs import Pixels
from offline.model.backbone import IGNORED, Backbone, load_model
from offline.training.candidates import CandidateDataset, Query, constrained_beams
from offline.training.collator import Collator, image_text
from offline.training.pairs import Sample
from semcore.bundle.bundle import read_manifest
from semcore.bundle.calibration import Calibration
from semcore.bundle.item import ItemStore
from semcore.errors import EngineError, EngineVersionError
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.tokens import IdentifierTokenizer, end_token, verdict_tokens
from semcore.kind import DIRECTIONS, Direction, target_kind
from semcore.model.prompt import IMAGE, blank_prompt, description_prompt, identifier_prompt
from semcore.trie.trie import Trie
from semcore.trie.walk import load_walk
from service.engine.vllm_engine import VllmEngine, require_whole_steps
from service.settings import Settings

WEIGHTS = Calibration()


@pytest.mark.parametrize(
    ("early", "drafts", "name"),
    [(True, None, "async_scheduling"), (False, object(), "speculative_config")],
)
def test_steps_are_whole(early: bool, drafts: object, name: str) -> None:
    def config(early: bool, drafts: object) -> Any:
        scheduler = SimpleNamespace(async_scheduling=early)
        return SimpleNamespace(scheduler_config=scheduler, speculative_config=drafts)

    require_whole_steps(config(False, None))
    with pytest.raises(EngineError, match=f"cannot run with vLLM's {name}; take it out"):
        require_whole_steps(config(early, drafts))


def test_a_vllm_that_differs_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.engine.vllm_contract._installed", lambda: tmp_path)
    with pytest.raises(EngineVersionError, match=r"Scheduler is missing.*; install vLLM"):
        VllmEngine.start(tmp_path / "no model", Settings())


@pytest.mark.parametrize(
    "direction", ["text-to-image", pytest.param("image-to-text", marks=pytest.mark.slow)]
)
async def test_beams_are_those_of_hugging_face(
    service_url: str, trained: Path, direction: Direction
) -> None:
    bundle = trained / "bundle"
    root = Path(read_manifest(bundle).corpus.image_root)
    model, processor = load_model(trained / "model")
    trie = Trie.load(bundle / f"{target_kind(direction)}.marisa")
    walk = load_walk(bundle / target_kind(direction))
    store = ItemStore(bundle / "items.sqlite", read_manifest(bundle).settings.gallery)
    pixels = Pixels(processor)
    collator = Collator(processor, Pixels(processor))

    def exact(query: Query, identifier: str) -> float:
        """The log-probability of an identifier, by one pass over all of it."""
        is_text = direction == "text-to-image"
        prompt = identifier_prompt(direction, query.content if is_text else "")
        images = () if is_text else (root / query.content,)
        batch = collator([Sample(prompt, images, (identifier,))])
        labels = batch.pop("labels")[0, 1:]
        with torch.no_grad():
            logprobs = model.eval()(**batch).logits[0, :-1].log_softmax(dim=-1)
        spelled = (labels != IGNORED).nonzero().flatten()
        return float(logprobs[spelled, labels[spelled]].sum())

    queries = queries_of(bundle, direction)
    assert len(queries) == QUERIES
    same = 0
    async with httpx.AsyncClient(base_url=service_url, timeout=120) as client:
        for start in range(0, QUERIES, 10):
            batch = queries[start : start + 10]
            reference = constrained_beams(model, processor, walk, batch, root, pixels, BEAM_WIDTH)
            answers = await asyncio.gather(
                *(ask(client, query, root, verify="never") for query in batch),
                # Verification runs in the same engine batches and must not disturb the beams.
                *(ask(client, query, root, top_k=BEAM_WIDTH - 1) for query in queries[:3]),
            )
            for query, answer, beams in zip(batch, answers[: len(batch)], reference, strict=True):
                mine: dict[str, float] = {}
                for item in answer["items"]:
                    assert item["identifier"]["text"] in trie
                    mine.setdefault(item["identifier"]["text"], item["logprob"])
                theirs = {
                    store.of_numbers(walk.items_of(leaf)[:1].tolist())[0].identifier: logprob
                    for leaf, logprob in beams
                }
                same += are_same(mine, theirs, partial(exact, query))
                if query is batch[0]:  # whether there are near-ties or not
                    check_ties(mine, theirs, partial(exact, query))
    store.close()
    assert same >= 0.99 * QUERIES


def are_same(
    mine: dict[str, float], theirs: dict[str, float], exact: Callable[[str], float]
) -> bool:
    """Whether the first ten identifiers agree; if not, only near-ties may tell them apart.

    Args:
        mine, theirs: log-probabilities by identifier, best first.
    """
    for text in set(mine) & set(theirs):
        assert mine[text] == pytest.approx(theirs[text], abs=1e-3)
    if list(mine)[:10] == list(theirs)[: len(list(mine)[:10])]:
        return True
    check_ties(mine, theirs, exact)
    return False


def check_ties(
    mine: dict[str, float], theirs: dict[str, float], exact: Callable[[str], float]
) -> None:
    """What the service has in place of another identifier is as good, and truly so."""
    ours = list(mine)[:10]
    for one, other in zip(ours, list(theirs)[: len(ours)], strict=True):
        assert mine[one] >= theirs[other] - 1e-3
        assert mine[one] == pytest.approx(exact(one), abs=1e-3)


def test_near_ties_are_told_from_faults() -> None:
    theirs = {"a": -1.0, "b": -2.0, "c": -3.0}
    swapped = {"a": -1.0, "c": -2.9995, "b": -2.0}
    assert are_same(theirs, theirs, exact=theirs.__getitem__)
    with pytest.raises(AssertionError):  # the order is wrong
        are_same(swapped, theirs, exact=swapped.__getitem__)
    tied = {"a": -1.0, "d": -2.0002, "c": -3.0}
    assert not are_same(tied, theirs, exact=tied.__getitem__)
    with pytest.raises(AssertionError):  # the service says more than the model
        are_same(tied, theirs, exact={**tied, "d": -2.5}.__getitem__)


@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_verification_is_that_of_hugging_face(
    service_url: str, trained: Path, direction: Direction
) -> None:
    bundle = trained / "bundle"
    root = Path(read_manifest(bundle).corpus.image_root)
    model, processor = load_model(trained / "model")
    collate = Collator(processor, Pixels(processor))
    yes, no = verdict_tokens(processor.tokenizer)
    store = ItemStore(bundle / "items.sqlite", ("train", "val", "test"))
    async with httpx.AsyncClient(base_url=service_url, timeout=120) as client:
        for query in queries_of(bundle, direction)[:5]:
            answer = await ask(client, query, root)
            found = [item for item in answer["items"] if item["verification"] is not None]
            assert len(found) == 10
            items = [store.get(item["id"]) for item in found]
            samples = CandidateDataset([query], [items], root)
            batch = collate([samples[place] for place in range(len(items))])
            asked = (batch.pop("labels") != IGNORED).float().argmax(dim=1) - 1
            with torch.no_grad():
                logits = model.eval()(**batch).logits[torch.arange(len(items)), asked]
            odds = logits[:, yes] - logits[:, no]
            assert [item["odds"] for item in found] == pytest.approx(odds.tolist(), abs=5e-3)
            logprobs = torch.tensor([item["logprob"] for item in found])
            scores = WEIGHTS.prior * logprobs + WEIGHTS.evidence * odds
            expected = scores.softmax(dim=0).tolist()
            assert [item["verification"] for item in found] == pytest.approx(expected, abs=1e-3)
    store.close()


def logprob_after(
    model: Backbone, prompt: list[int], tokens: list[int], **seen: torch.Tensor
) -> float:
    """The log-probability of tokens after a prompt, by Hugging Face; ``seen``: its pictures."""
    with torch.no_grad():
        logits = model.eval()(input_ids=torch.tensor([prompt + tokens]), **seen).logits[0]
    logprobs = logits[len(prompt) - 1 : -1].log_softmax(-1)
    return float(logprobs[torch.arange(len(tokens)), tokens].sum())


@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_commonness_is_that_of_hugging_face(
    service_url: str, trained: Path, direction: Direction
) -> None:
    bundle = trained / "bundle"
    root = Path(read_manifest(bundle).corpus.image_root)
    model, processor = load_model(trained / "model")
    spelling = IdentifierTokenizer(processor.tokenizer)
    blank = blank_prompt(target_kind(direction))
    prompt = processor.tokenizer.encode(blank, add_special_tokens=False)
    async with httpx.AsyncClient(base_url=service_url, timeout=120) as client:
        answer = await ask(client, queries_of(bundle, direction)[0], root, commonness=True)
    for item in answer["items"]:
        tokens = spelling.tokens(Identifier.parse(item["identifier"]["text"]))
        expected = logprob_after(model, prompt, tokens)
        assert item["commonness"] == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_descriptions_are_those_of_hugging_face(
    service_url: str, trained: Path, direction: Direction
) -> None:
    bundle = trained / "bundle"
    root = Path(read_manifest(bundle).corpus.image_root)
    model, processor = load_model(trained / "model")
    pixels, encode = Pixels(processor), processor.tokenizer.encode
    store = ItemStore(bundle / "items.sqlite", ("train", "val", "test"))
    query = queries_of(bundle, direction)[0]
    async with httpx.AsyncClient(base_url=service_url, timeout=120) as client:
        answer = await ask(client, query, root, describe=True, verify="always")
    judged = [item for item in answer["items"] if item["verification"] is not None]
    assert len(judged) > 1
    for item in judged:
        shown = store.get(item["id"])
        assert shown is not None
        text, image = query.content, shown.image
        if direction == "image-to-text":
            text, image = shown.caption, query.content
        said = [*encode(text, add_special_tokens=False), end_token(processor.tokenizer)]
        assert len(said) < 64
        logprobs = []
        for asked in (description_prompt(), description_prompt(picture="")):
            prompt = encode(asked.replace(IMAGE, image_text(processor)), add_special_tokens=False)
            seen = {"pixel_values": pixels([root / image])} if IMAGE in asked else {}
            logprobs.append(logprob_after(model, prompt, said, **seen))
        assert item["description"] == pytest.approx(logprobs[0] - logprobs[1], abs=2e-2)
    store.close()


async def test_verification_and_experiments_without_the_constraint(
    service_url: str, trained: Path
) -> None:
    root = Path(read_manifest(trained / "bundle").corpus.image_root)
    async with httpx.AsyncClient(base_url=service_url, timeout=120) as client:
        for direction in DIRECTIONS:
            query = queries_of(trained / "bundle", direction)[0]
            answer = await ask(client, query, root)
            verified = [i["verification"] for i in answer["items"][:10]]
            assert sum(verified) == pytest.approx(1.0, abs=1e-6)
            before = await illegal_identifiers(client)
            free = await ask(client, query, root, constrained=False)
            # A model trained for a moment spells what does not exist.
            assert free["illegal"] > 0
            assert await illegal_identifiers(client) - before == free["illegal"]
