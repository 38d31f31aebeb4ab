"""Human-sounding captions for the scenes of the demo corpus.

Five captions a scene: synonyms, changing word order, and all but the first leave details out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from offline.demo.scene import Group, Scene

CAPTIONS_PER_SCENE = 5
_Words = TypeVar("_Words", str, tuple[str, str])

# The first is said most often, as in speech.
_NOUNS: dict[str, tuple[tuple[str, str], ...]] = {
    "tree": (("tree", "trees"), ("fir", "firs")),
    "house": (("house", "houses"), ("cottage", "cottages")),
    "sun": (("sun", "suns"),),
    "boat": (("boat", "boats"), ("ship", "ships")),
    "car": (("car", "cars"), ("automobile", "automobiles")),
    "cat": (("cat", "cats"), ("kitten", "kittens")),
    "ball": (("ball", "balls"),),
    "fish": (("fish", "fish"),),
    "bird": (("bird", "birds"), ("sparrow", "sparrows")),
    "flower": (("flower", "flowers"), ("blossom", "blossoms")),
    "star": (("star", "stars"),),
    "mushroom": (("mushroom", "mushrooms"), ("toadstool", "toadstools")),
    "umbrella": (("umbrella", "umbrellas"), ("parasol", "parasols")),
    "balloon": (("balloon", "balloons"),),
    "kite": (("kite", "kites"),),
    "cup": (("cup", "cups"), ("mug", "mugs")),
    "clock": (("clock", "clocks"),),
    "heart": (("heart", "hearts"),),
}
_COLOURS = {
    "red": ("red", "crimson"),
    "blue": ("blue", "azure"),
    "green": ("green", "emerald"),
    "yellow": ("yellow", "golden"),
    "orange": ("orange",),
    "purple": ("purple", "violet"),
    "white": ("white",),
    "black": ("black",),
}
_SIZES = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
_COUNTS = {1: ("a", "one", "a single"), 2: ("two", "a pair of"), 3: ("three", "a trio of")}
_BACKGROUNDS = {
    "meadow": ("on a meadow", "on a wide meadow", "on the meadow grass"),
    "beach": ("on the beach", "on a sandy beach", "on a beach by the sea"),
    "night": ("at night", "on a dark night", "under the night sky"),
    "snow": ("in the snow", "in deep snow", "in the winter snow"),
    "desert": ("in the desert", "on desert sand", "on desert dunes"),
    "sunset": ("at sunset", "in the glow of sunset", "under a sunset sky"),
    "room": ("in a room", "in a bright room", "on the floor of a room"),
    "city": ("in the city", "on a city street", "before city buildings"),
}
_MOST_OFTEN = 0.7
_JOINS = ("and", "next to", "beside", "with", "near")
_OPENINGS = ("", "", "look at ", "a picture of ", "we see ", "you can see ")


def captions(scene: Scene, rng: random.Random) -> list[str]:
    """Five captions; the first names every detail, each later one leaves out up to two."""
    return [_caption(scene, rng, omissions) for omissions in (0, 1, 1, 1, 2)]


def _caption(scene: Scene, rng: random.Random, omissions: int) -> str:
    details = [("background", -1)]
    for place, group in enumerate(scene.groups):
        details += [("size", place), ("count", place)] if group.count > 1 else [("size", place)]
        details.append(("colour", place))
    omitted = set(rng.sample(details, omissions))
    phrases = [
        _phrase(group, rng, size=("size", place) not in omitted,
                colour=("colour", place) not in omitted, count=("count", place) not in omitted)
        for place, group in enumerate(scene.groups)
    ]  # fmt: skip
    if rng.random() < 0.3:
        phrases.reverse()
    text = phrases[0]
    for phrase in phrases[1:]:
        text += f" {rng.choice(_JOINS)} {phrase}"
    if ("background", -1) not in omitted:
        where = _said(_BACKGROUNDS[scene.background], rng)
        if rng.random() < 0.25:
            return f"{where}, {text}".capitalize() + "."
        text += f" {where}"
    return (rng.choice(_OPENINGS) + text).capitalize() + "."


def _phrase(group: Group, rng: random.Random, *, size: bool, colour: bool, count: bool) -> str:
    singular, plural = _said(_NOUNS[group.kind], rng)
    words = [_said(_COUNTS[group.count], rng) if count else "some"]
    if size:
        words.append(_said(_SIZES[group.size], rng))
    if colour:
        words.append(_said(_COLOURS[group.colour], rng))
    words.append(singular if group.count == 1 else plural)
    if words[0] == "a" and words[1][0] in "aeiou":
        words[0] = "an"
    return " ".join(words)


def _said(words: Sequence[_Words], rng: random.Random) -> _Words:
    return words[0] if rng.random() < _MOST_OFTEN else rng.choice(words)
