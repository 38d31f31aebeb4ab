"""Training reaches a model that serves; what is stopped goes on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from moment import MOMENT

from offline.candidates import choose_queries, retrieve_candidates
from offline.collator import IGNORED, Collator
from offline.corpus import Corpus
from offline.pairs import PairDataset, Sample
from offline.training import load_model, train_model
from semcore.bundle import check_bundle
from semcore.errors import ModelError
from semcore.identifier import Identifier, global_token
from semcore.item import ItemStore
from semcore.prompt import verification_prompt
from semcore.tokens import end_token, identifier_tokens, label_tokens


def test_leaves_a_model_and_a_log(trained: Path) -> None:
    manifest = check_bundle(trained / "bundle")
    assert manifest.model is not None
    log = [json.loads(line) for line in (trained / "model/losses.jsonl").read_text().splitlines()]
    assert {entry["stage"] for entry in log} == {"stage1", "matching", "stage2"}
    assert not (trained / "model.work").exists()


def test_stage_1_learns(trained: Path) -> None:
    log = [json.loads(line) for line in (trained / "model/losses.jsonl").read_text().splitlines()]
    losses = [float(e["loss"]) for e in log if e["stage"] == "stage1" and "loss" in e]
    assert losses[-1] < losses[0]


def test_goes_on_after_an_interruption(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(MOMENT, align_epochs=0.0, epochs=0.2, match_samples=0, gsv_queries=0)
    said: list[str] = []

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("offline.training._stage_1", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_model(trained / "bundle", None, tmp_path / "m", settings, report=said.append)
    assert said == ["training: base", "training: stage1"]
    train_model(trained / "bundle", None, tmp_path / "m", settings, report=said.append)
    assert said[2:] == ["training: stage1"]
    assert (tmp_path / "m" / "model.safetensors").exists()


def test_adapters_end_merged_in_an_ordinary_model(trained: Path, tmp_path: Path) -> None:
    settings = replace(
        MOMENT, align_epochs=0.0, epochs=0.2, match_samples=0, gsv_queries=0, lora_rank=4
    )
    base = str(trained / "model")
    train_model(trained / "bundle", base, tmp_path / "m", settings, report=lambda _: None)
    before, _ = load_model(base)
    after, _ = load_model(tmp_path / "m")
    changed = {
        name
        for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert any("q_proj" in name for name in changed)
    assert not any("vision_tower" in name for name in changed)


def test_names_a_base_that_is_none(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no InternVL checkpoint"):
        train_model(trained / "bundle", str(tmp_path), tmp_path / "m", MOMENT, report=print)


def test_loss_counts_the_answer_only(trained: Path, corpus: Corpus) -> None:
    _, processor = load_model(trained / "model")
    store = ItemStore(trained / "bundle/items.sqlite", ("train",))
    data = PairDataset([*store.of_split("train", "image"), *store.of_split("train", "text")],
                       corpus.image_root, 1, 0)  # fmt: skip
    samples = [data[0], data[len(data) - 1]]
    assert [len(sample.images) for sample in samples] == [0, 1]
    batch = Collator(processor)(samples)
    assert batch["pixel_values"].shape[0] == 1
    for row, sample in zip(batch["labels"], samples, strict=True):
        expected = identifier_tokens(processor.tokenizer, Identifier.parse(sample.answer))
        assert row[row != IGNORED].tolist() == expected
        assert expected[-1] == end_token(processor.tokenizer)
        first = processor.tokenizer.convert_ids_to_tokens(expected[0])
        assert first == global_token(Identifier.parse(sample.answer).global_id)


def test_verdicts_stand_after_the_labels(trained: Path, corpus: Corpus) -> None:
    _, processor = load_model(trained / "model")
    words = [("boat", "red"), ("car",), ("tree", "night")]
    prompt = verification_prompt("image-to-text", words, ["a = b", "c", "d"])
    image = corpus.image_root / corpus.pictures[0].image
    batch = Collator(processor, verdicts=True)([Sample(prompt, (image,), "B", 1)])
    labels = batch["labels"][0]
    answer = [label_tokens(processor.tokenizer)[1], end_token(processor.tokenizer)]
    yes, no = processor.tokenizer.convert_tokens_to_ids(["Y", "N"])
    assert labels[labels != IGNORED].tolist() == [no, yes, no, *answer]


def test_candidate_sets_hold_the_right_item_once(trained: Path, corpus: Corpus) -> None:
    model, processor = load_model(trained / "model")
    store = ItemStore(trained / "bundle/items.sqlite", ("train",))
    items = [*store.of_split("train", "image"), *store.of_split("train", "text")]
    queries = choose_queries(items, 4, seed=1)
    sets = retrieve_candidates(model, processor, items, queries, corpus.image_root)
    assert len(sets) == len(queries) == 8
    for query, found in zip(queries, sets, strict=True):
        assert sum(item.pair == query.pair for item in found) <= 1
        assert len(found) <= 10
