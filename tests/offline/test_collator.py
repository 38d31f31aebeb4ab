"""Batches hold what the model is shown, and the loss counts the answer only."""

from pathlib import Path

import pytest
import torch
from transformers import ProcessorMixin

from offline.collator import IGNORED, Collator, Pixels
from offline.corpus import Corpus
from offline.pairs import PairDataset, Sample
from offline.training import load_model
from semcore.identifier import Identifier, global_token
from semcore.item import Item
from semcore.prompt import verification_prompt
from semcore.tokens import end_token, identifier_tokens, label_tokens


@pytest.fixture(scope="module")
def processor(trained: Path) -> ProcessorMixin:
    return load_model(trained / "model")[1]


def test_loss_counts_the_identifier_only(
    training_items: list[Item], corpus: Corpus, processor: ProcessorMixin
) -> None:
    data = PairDataset(training_items, corpus.image_root, 1, 0)
    samples = [data[0], data[len(data) - 1]]
    batch = Collator(processor)(samples)
    assert batch["pixel_values"].shape[0] == 1
    for row, sample in zip(batch["labels"], samples, strict=True):
        expected = identifier_tokens(processor.tokenizer, Identifier.parse(sample.answer))
        assert row[row != IGNORED].tolist() == expected
        assert expected[-1] == end_token(processor.tokenizer)
        first = processor.tokenizer.convert_ids_to_tokens(expected[0])
        assert first == global_token(Identifier.parse(sample.answer).global_id)


def test_a_verification_is_answered_by_a_label(corpus: Corpus, processor: ProcessorMixin) -> None:
    words = [("boat", "red"), ("car",), ("tree", "night")]
    prompt = verification_prompt("image-to-text", words, ["a", "b", "c"])
    image = corpus.image_root / corpus.pictures[0].image
    labels = Collator(processor)([Sample(prompt, (image,), "B")])["labels"][0]
    answer = [label_tokens(processor.tokenizer)[1], end_token(processor.tokenizer)]
    assert labels[labels != IGNORED].tolist() == answer


def test_rows_are_padded_to_the_longest(processor: ProcessorMixin) -> None:
    samples = [Sample("a boat", (), "A"), Sample("two boats and a red house", (), "A")]
    batch = Collator(processor)(samples)
    short, long = batch["attention_mask"].sum(1).tolist()
    assert short < long == batch["input_ids"].shape[1]
    assert batch["labels"][0, short:].eq(IGNORED).all()


def test_pictures_are_the_same_when_seen_again(corpus: Corpus, processor: ProcessorMixin) -> None:
    paths = [corpus.image_root / picture.image for picture in corpus.pictures[:2]]
    pixels = Pixels(processor)
    first, again = pixels(paths), pixels(paths)
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])
