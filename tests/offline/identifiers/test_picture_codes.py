"""Codes say of a picture what they were taught to say, not what is loudest in its features."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from offline.identifiers.picture_codes import aligned_codes, classified_codes
from offline.identifiers.quantization import residual_codes
from semcore.identifiers.encoder import Vectors

PICTURES, LEARNED = 240, 160
VALUES, LEVELS = 6, 2


@dataclass(frozen=True, eq=False)
class World:
    """Pictures whose features mix a class, which alone the captions tell, with two looks, which are
    louder; two codes cannot say all three."""

    features: Vectors
    classes: NDArray[np.int64]
    looks: NDArray[np.int64]
    captions: Vectors
    learned: NDArray[np.bool_]


Coding = Callable[[World, int], NDArray[np.int64]]


def unit(vectors: NDArray[np.float64]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float32)


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    classes, looks, others = rng.integers(VALUES, size=(3, PICTURES))
    of_class, of_look, of_other, of_caption = rng.normal(size=(4, VALUES, 32))
    noise = rng.normal(0, 0.3, size=(2, PICTURES, 32))
    features = of_class[classes] + 3 * of_look[looks] + 2 * of_other[others] + noise[0]
    captions = of_caption[classes] + noise[1]
    learned = np.arange(PICTURES) < LEARNED
    return World(unit(features), classes, looks, unit(captions), learned)


@cache
def classified(world: World, seed: int) -> NDArray[np.int64]:
    return classified_codes(world.features, world.classes, world.learned, LEVELS, VALUES, seed)


@cache
def aligned(world: World, seed: int) -> NDArray[np.int64]:
    return aligned_codes(world.features, world.captions, world.learned, LEVELS, VALUES, seed)


both = pytest.mark.parametrize("coding", [classified, aligned])


def told(world: World, values: NDArray[np.int64], codes: NDArray[np.int64]) -> float:
    """Of the pictures that nothing was learned from, the share whose value is guessed right, as
    that of most pictures with the same codes that were learned from."""
    seen: dict[Sequence[int], Counter[int]] = defaultdict(Counter)
    spelled = [tuple(code) for code in codes.tolist()]
    for row in np.flatnonzero(world.learned):
        seen[spelled[row]][values[row]] += 1
    new = np.flatnonzero(~world.learned)
    guesses = [seen[spelled[row]].most_common(1) for row in new]
    right = [bool(one) and one[0][0] == values[row] for one, row in zip(guesses, new, strict=True)]
    return float(np.mean(right))


def test_codes_of_features_say_what_is_loudest(world: World) -> None:
    plain = residual_codes(world.features, world.learned, LEVELS, VALUES, seed=0)
    assert told(world, world.classes, plain) < 0.4
    assert told(world, world.looks, plain) > 0.8


def test_each_prefix_says_the_class(world: World) -> None:
    codes = classified(world, 0)
    assert told(world, world.classes, codes[:, :1]) > 0.8
    assert told(world, world.classes, codes) > 0.8


def test_all_codes_together_say_the_caption(world: World) -> None:
    assert told(world, world.classes, aligned(world, 0)) > 0.8


@both
def test_what_is_taught_at_random_is_not_said(coding: Coding, world: World) -> None:
    order = np.random.default_rng(0).permutation(PICTURES)
    mixed = replace(world, classes=world.classes[order], captions=world.captions[order])
    assert told(world, world.classes, coding(mixed, 0)) < 0.5


def test_codes_say_how_a_picture_looks_besides(world: World) -> None:
    """The features are reconstructed from them."""
    assert told(world, world.looks, classified(world, 0)) > 0.6


@both
def test_a_seed_makes_the_same_codes_again(coding: Coding, world: World) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    np.testing.assert_array_equal(coding(replace(world), 0), coding(world, 0))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (coding(world, 1) != coding(world, 0)).any()


@both
def test_what_is_not_learned_from_changes_no_other_code(coding: Coding, world: World) -> None:
    features, classes, captions = world.features.copy(), world.classes.copy(), world.captions.copy()
    features[-1], classes[-1], captions[-1] = -features[0], 99, -captions[-1]
    changed = replace(world, features=features, classes=classes, captions=captions)
    np.testing.assert_array_equal(coding(changed, 0)[:-1], coding(world, 0)[:-1])


@both
def test_few_pictures_have_codes_too(coding: Coding, world: World) -> None:
    few = replace(world, learned=np.arange(PICTURES) < 2)
    codes = coding(few, 0)
    assert codes.shape == (PICTURES, LEVELS)
    assert (codes[0] != codes[1]).any()
