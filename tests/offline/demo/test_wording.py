"""Captions say what is there, in different words."""

import random
from itertools import islice

from offline.demo.scene import Group, Scene, families
from offline.demo.wording import CAPTIONS_PER_SCENE, captions

SCENE = Scene("night", (Group("cat", "red", "large", 2), Group("cup", "white", "small", 1)))


def test_the_first_caption_names_every_detail() -> None:
    for seed in range(50):
        first = captions(SCENE, random.Random(seed))[0].lower()
        for words in (
            ("cats", "kittens"), ("red", "crimson"), ("large", "big", "huge"), ("two", "pair"),
            ("cup", "mug"), ("white",), ("small", "little", "tiny"), ("night", "dark"),
        ):  # fmt: skip
            assert any(word in first for word in words), first


def test_the_others_leave_details_out() -> None:
    lengths = [
        [len(caption.split()) for caption in captions(SCENE, random.Random(seed))]
        for seed in range(200)
    ]
    means = [sum(column) / len(column) for column in zip(*lengths, strict=True)]
    assert means[0] > means[1] > means[4]


def test_all_are_sentences_and_differ() -> None:
    rng = random.Random(0)
    for family in islice(families(0), 100):
        for scene in family:
            said = captions(scene, rng)
            assert len(set(said)) == CAPTIONS_PER_SCENE
            assert all(s[0].isupper() and s.endswith(".") and "  " not in s for s in said)
