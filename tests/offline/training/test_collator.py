"""Batches hold what the model is shown, and the loss counts the answer only."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import ProcessorMixin

from offline.corpus.corpus import Corpus
from offline.image_inputs import Pixels
from offline.model.backbone import IGNORED, load_model
from offline.training.collator import Collator
from offline.training.pairs import PairDataset, Sample
from semcore.bundle.item import Item
from semcore.identifiers.identifier import Identifier, global_token
from semcore.identifiers.tokens import (
    IdentifierTokenizer,
    end_token,
    letter_tokens,
    verdict_tokens,
)
from semcore.model.prompt import description_prompt, list_prompt, verification_prompt


@pytest.fixture(scope="module")
def processor(trained: Path) -> ProcessorMixin:
    return load_model(trained / "model")[1]


def test_loss_counts_the_identifier_only(
    training_items: list[Item], corpus: Corpus, processor: ProcessorMixin
) -> None:
    data = PairDataset(training_items, corpus.image_root, 1, 0)
    samples = [data[0], data[len(data) - 1]]
    batch = Collator(processor, Pixels(processor))(samples)
    assert batch["pixel_values"].shape[0] == 1
    for row, sample in zip(batch["labels"], samples, strict=True):
        expected = IdentifierTokenizer(processor.tokenizer).tokens(
            Identifier.parse(sample.answers[0])
        )
        assert row[row != IGNORED].tolist() == expected
        assert expected[-1] == end_token(processor.tokenizer)
        first = processor.tokenizer.convert_ids_to_tokens(expected[0])
        assert first == global_token(Identifier.parse(sample.answers[0]).global_id)


def test_prose_ends_with_the_turn(corpus: Corpus, processor: ProcessorMixin) -> None:
    image = Path(corpus.image_root) / corpus.pictures[0].image
    sample = Sample(description_prompt(), (image,), ("a boat", "a red house"), is_prose=True)
    batch = Collator(processor, Pixels(processor))([sample])
    labels = batch["labels"][0]
    said = processor.tokenizer.decode(labels[labels != IGNORED])
    end = processor.tokenizer.decode([end_token(processor.tokenizer)])
    assert said == f"a boat{end}a red house{end}"


def test_each_of_several_answers_is_learned_as_if_it_were_the_only_one(
    corpus: Corpus, trained: Path
) -> None:
    model, processor = load_model(trained / "model")
    collator = Collator(processor, Pixels(processor))
    image = Path(corpus.image_root) / corpus.pictures[0].image
    said = ("a boat", "a red house", "one yellow fish")
    alone = [Sample(description_prompt(), (image,), (one,), is_prose=True) for one in said]
    together = replace(alone[0], answers=said)
    model.eval()
    with torch.no_grad():
        apart = torch.cat([model(**collator([sample])).logits for sample in alone])
        # Beside a longer sample, whose padding is seen by none.
        joined = model(**collator([together, replace(together, answers=(*said, *said))])).logits
    torch.testing.assert_close(joined[: len(apart)], apart, atol=1e-3, rtol=1e-3)


def test_a_verification_asks_behind_words_and_at_the_end(
    corpus: Corpus, processor: ProcessorMixin
) -> None:
    prompt = verification_prompt(("boat", "red"), "a boat and a house")
    image = Path(corpus.image_root) / corpus.pictures[0].image
    places = ((prompt.index("boat") + 4, True), (prompt.rindex("house") + 5, False))
    batch = Collator(processor, Pixels(processor))([Sample(prompt, (image,), ("No",), places)])
    tokens, labels = batch["input_ids"][0], batch["labels"][0]
    asked = (labels != IGNORED).nonzero().flatten()
    yes, no = verdict_tokens(processor.tokenizer)
    assert labels[asked].tolist() == [yes, no, no]
    before = [processor.tokenizer.decode([tokens[place - 1]]) for place in asked[:2]]
    assert before == [" boat", " house"]
    assert asked[-1] == len(tokens) - 1


def test_a_list_is_answered_by_a_letter_that_stands_in_it(
    corpus: Corpus, processor: ProcessorMixin
) -> None:
    prompt = list_prompt(["a boat"] * 2, [("boat",), ("red",)], one_picture=False)
    images = tuple(Path(corpus.image_root) / one.image for one in corpus.pictures[:2])
    checks = ((prompt.index("\nB\n") + 2, True),)
    batch = Collator(processor, Pixels(processor))([Sample(prompt, images, ("B",), checks)])
    tokens, labels = batch["input_ids"][0], batch["labels"][0]
    assert batch["pixel_values"].shape[0] == 2
    asked = (labels != IGNORED).nonzero().flatten()
    letter = letter_tokens(processor.tokenizer)[1]
    assert labels[asked].tolist() == [verdict_tokens(processor.tokenizer)[0], letter]
    assert tokens[asked[0] - 1] == letter
    assert asked[1] == len(tokens) - 1


def test_rows_are_padded_to_the_longest(processor: ProcessorMixin) -> None:
    samples = [Sample("a boat", (), ("Yes",)), Sample("two boats and a red house", (), ("No",))]
    batch = Collator(processor, Pixels(processor))(samples)
    short, long = batch["attention_mask"].sum(1).tolist()
    assert short < long == batch["input_ids"].shape[1]
    assert batch["labels"][0, short:].eq(IGNORED).all()
