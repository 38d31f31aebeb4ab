"""Human-sounding captions for the scenes of the demo corpus.

Five captions a scene: synonyms, changing word order, and all but the first leave details out.
"""

from __future__ import annotations

import random

from offline.scene import Group, Scene

CAPTIONS_PER_SCENE = 5

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
    "red": ("red", "red", "crimson"),
    "blue": ("blue", "blue", "azure"),
    "green": ("green", "green", "emerald"),
    "yellow": ("yellow", "yellow", "golden"),
    "orange": ("orange",),
    "purple": ("purple", "purple", "violet"),
    "white": ("white",),
    "black": ("black",),
}
_SIZES = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
_COUNTS = {1: ("a", "one", "a single"), 2: ("two", "a pair of"), 3: ("three", "a trio of")}
_BACKGROUNDS = {
    "meadow": ("on a meadow", "on the grass", "in a green field"),
    "beach": ("on the beach", "on the shore", "by the sea"),
    "night": ("at night", "after dark", "under the night sky"),
    "snow": ("in the snow", "on a snowy day", "in winter"),
    "desert": ("in the desert", "on the dunes", "on desert sand"),
    "sunset": ("at sunset", "in the evening glow", "at dusk"),
    "room": ("in a room", "indoors", "on a wooden floor"),
    "city": ("in the city", "on a street", "before tall buildings"),
}
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
        where = rng.choice(_BACKGROUNDS[scene.background])
        if rng.random() < 0.25:
            return f"{where}, {text}".capitalize() + "."
        text += f" {where}"
    return (rng.choice(_OPENINGS) + text).capitalize() + "."


def _phrase(group: Group, rng: random.Random, *, size: bool, colour: bool, count: bool) -> str:
    singular, plural = rng.choice(_NOUNS[group.kind])
    words = [rng.choice(_COUNTS[group.count]) if count else "some"]
    if size:
        words.append(rng.choice(_SIZES[group.size]))
    if colour:
        words.append(rng.choice(_COLOURS[group.colour]))
    words.append(singular if group.count == 1 else plural)
    if words[0] == "a" and words[1][0] in "aeiou":
        words[0] = "an"
    return " ".join(words)
