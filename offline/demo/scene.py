"""Scenes of the demo corpus: what stands where, in which colour, size and number.

A scene is pure data; :mod:`offline.demo.drawing` paints it and :mod:`offline.demo.wording`
describes it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

KINDS = (
    "tree", "house", "sun", "boat", "car", "cat", "ball", "fish", "bird",
    "flower", "star", "mushroom", "umbrella", "balloon", "kite", "cup", "clock", "heart",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "yellow", "orange", "purple", "white", "black")
_Value = TypeVar("_Value", str, int)
SIZES = ("small", "large")
BACKGROUNDS = ("meadow", "beach", "night", "snow", "desert", "sunset", "room", "city")
MAX_COUNT = {2: 3, 3: 2}  # of equal objects, by the number of groups


@dataclass(frozen=True, slots=True)
class Group:
    """``count`` equal objects standing together."""

    kind: str
    colour: str
    size: str
    count: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Two or three groups, from left to right, before a background."""

    background: str
    groups: tuple[Group, ...]

    @property
    def combination(self) -> frozenset[tuple[str, str]]:
        """The (kind, colour) pairs: what makes a test scene one never seen in training."""
        return frozenset((group.kind, group.colour) for group in self.groups)


def families(seed: int) -> Iterator[list[Scene]]:
    """Endless families of near-duplicates: a scene and up to two that differ in one detail.

    Deterministic in ``seed``. No combination of (kind, colour) pairs occurs in two families,
    so a split by family leaves the test split with combinations unseen in training.
    """
    rng = random.Random(seed)
    seen: set[frozenset[tuple[str, str]]] = set()
    while True:
        family = _family(rng)
        combinations = {scene.combination for scene in family}
        if combinations & seen:
            continue
        seen |= combinations
        yield family


def _family(rng: random.Random) -> list[Scene]:
    family = [_scene(rng, rng.choice((2, 2, 2, 2, 3)))]
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        twin = _change_one_detail(family[0], rng)
        if twin not in family:
            family.append(twin)
    return family


def _scene(rng: random.Random, groups: int) -> Scene:
    chosen = tuple(
        Group(kind, rng.choice(COLOURS), rng.choice(SIZES), rng.randint(1, MAX_COUNT[groups]))
        for kind in rng.sample(KINDS, groups)
    )
    return Scene(rng.choice(BACKGROUNDS), chosen)


def _change_one_detail(scene: Scene, rng: random.Random) -> Scene:
    detail = rng.choice(("background", "kind", "kind", "colour", "colour", "count", "size"))
    if detail == "background":
        return replace(scene, background=_other(BACKGROUNDS, scene.background, rng))
    place = rng.randrange(len(scene.groups))
    group = scene.groups[place]
    if detail == "kind":
        absent = [kind for kind in KINDS if all(kind != other.kind for other in scene.groups)]
        group = replace(group, kind=rng.choice(absent))
    elif detail == "colour":
        group = replace(group, colour=_other(COLOURS, group.colour, rng))
    elif detail == "count":
        counts = tuple(range(1, MAX_COUNT[len(scene.groups)] + 1))
        group = replace(group, count=_other(counts, group.count, rng))
    else:
        group = replace(group, size=_other(SIZES, group.size, rng))
    return replace(scene, groups=(*scene.groups[:place], group, *scene.groups[place + 1 :]))


def _other(values: tuple[_Value, ...], current: _Value, rng: random.Random) -> _Value:
    return rng.choice([value for value in values if value != current])
