"""The re-ranker's odds are those of the model's own answer, whoever is asked beside it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ProcessorMixin

from offline.image_inputs import Pixels
from offline.model.backbone import Backbone, load_model
from offline.model.tiny import create_tiny_model
from offline.reproduction import re_ranker
from offline.reproduction.re_ranker import descriptions, match_odds
from offline.training.candidates import CandidateDataset, Query
from offline.training.collator import image_text
from semcore.bundle.item import Item
from semcore.identifiers.tokens import end_token, verdict_tokens
from semcore.model.prompt import IMAGE, description_prompt

CAPTIONS = ["a red boat", "two black cats in the snow", "a house"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Backbone, ProcessorMixin]:
    folder: Path = tmp_path_factory.mktemp("tiny")
    create_tiny_model(CAPTIONS * 10, folder, seed=0)
    return load_model(folder)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("pictures")
    for number, colour in enumerate(("red", "black", "green")):
        Image.new("RGB", (40, 40), colour).save(folder / f"{number}.png")
    return folder


TEXTS = [
    Item(f"{n}#0", "text", "train", f"{n}", False, caption, "", f"<g{n}> boat")
    for n, caption in enumerate(CAPTIONS)
]
IMAGES = [
    Item(f"{n}", "image", "train", f"{n}", False, caption, f"{n}.png", f"<g{n}> boat")
    for n, caption in enumerate(CAPTIONS)
]
QUERIES = [
    Query("text-to-image", CAPTIONS[0], "0"),
    Query("image-to-text", "1.png", "1"),
    Query("text-to-image", CAPTIONS[2], "2"),
]
SETS = [IMAGES, TEXTS[:2], []]


def test_each_candidate_has_its_odds_in_order(
    tiny: tuple[Backbone, ProcessorMixin], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = tiny
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)  # exactly, in float32
    pictures = Pixels(processor)
    monkeypatch.setattr(re_ranker, "_BATCH", 4)
    found = match_odds(model, processor, pictures, QUERIES, SETS, root)
    assert [(odds.dtype, odds.shape) for odds in found] == [
        (np.float32, (len(items),)) for items in SETS
    ]
    for query, items, odds in zip(QUERIES, SETS, found, strict=True):
        for item, one in zip(items, odds, strict=True):
            (alone,) = match_odds(model, processor, pictures, [query], [[item]], root)
            assert alone[0] == pytest.approx(one, abs=1e-3)
    # Of five pairs one is judged from both sides, and none is like another.
    assert found[0][1] == pytest.approx(found[1][0], abs=1e-3)
    assert len({round(float(one), 3) for odds in found for one in odds}) == 4


def test_odds_are_of_yes_against_no_after_the_prompt(
    tiny: tuple[Backbone, ProcessorMixin], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = tiny
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    pictures = Pixels(processor)
    (odds,) = match_odds(model, processor, pictures, QUERIES[:1], [IMAGES[1:2]], root)
    sample = CandidateDataset(QUERIES[:1], [IMAGES[1:2]], root)[0]
    prompt = sample.prompt.replace(IMAGE, image_text(processor))
    inputs = processor.tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs, pixel_values=pictures(sample.images)).logits[0, -1]
    yes, no = verdict_tokens(processor.tokenizer)
    assert odds[0] == pytest.approx(float(logits[yes] - logits[no]), abs=1e-3)
    assert not model.training


def test_descriptions_say_by_how_much_a_picture_makes_a_text_likelier(
    tiny: tuple[Backbone, ProcessorMixin], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processor = tiny
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(re_ranker, "_BATCH", 4)
    pictures = Pixels(processor)
    found = descriptions(model, processor, pictures, QUERIES, SETS, root)
    assert [(one.dtype, one.shape) for one in found] == [
        (np.float32, (len(items),)) for items in SETS
    ]

    def logprob(text: str, image: str) -> float:
        """One token after the other."""
        prompt = description_prompt().replace(IMAGE, image_text(processor))
        more = {"pixel_values": pictures([root / image])} if image else {}
        if not image:
            prompt = description_prompt("")
        tokenizer = processor.tokenizer
        asked = tokenizer.encode(prompt, add_special_tokens=False)
        answer = [*tokenizer.encode(text, add_special_tokens=False), end_token(tokenizer)]
        total = 0.0
        for token in answer:
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([asked]), **more).logits[0, -1]
            total += float(logits.log_softmax(-1)[token])
            asked.append(token)
        return total

    for number, image in enumerate(("0.png", "1.png", "2.png")):
        expected = logprob(CAPTIONS[0], image) - logprob(CAPTIONS[0], "")
        assert found[0][number] == pytest.approx(expected, abs=1e-3)
    expected = logprob(CAPTIONS[1], "1.png") - logprob(CAPTIONS[1], "")
    assert found[1][1] == pytest.approx(expected, abs=1e-3)
    assert not model.training
