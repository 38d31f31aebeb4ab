"""Words are replaced by like ones, as often as is asked for."""

import random

from offline.training.paraphrase import Paraphraser
from semcore.identifiers.encoder import Encoder

TEXTS = ["A red boat at sea", "the ship and boats", "a kitten and a cat", "two houses"]


def test_replaces_by_like_words_only() -> None:
    encoder = Encoder()
    rng = random.Random(0)
    always = Paraphraser(TEXTS, encoder, share=1.0)
    said = {always("A boat, one cat", rng) for _ in range(50)}
    words = {tuple(text.lower().replace(",", "").split()) for text in said}
    assert {word[1] for word in words} == {"boats"}
    assert {word[3] for word in words} == {"kitten"}
    assert {word[2] for word in words} == {"one"}
    assert all(text.startswith("A ") and "," in text for text in said)
    never = Paraphraser(TEXTS, encoder, share=0.0)
    assert never("A boat, one cat", rng) == "A boat, one cat"


def test_few_texts_have_nothing_to_exchange() -> None:
    alone = Paraphraser(["a"], Encoder(), share=1.0)
    assert alone("a boat", random.Random(0)) == "a boat"
