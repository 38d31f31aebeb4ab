"""The demo corpus: drawn by the project itself, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from offline.corpus import Picture, write_corpus
from offline.drawing import draw
from offline.progress import progress
from offline.scene import Scene, families
from offline.wording import captions


def write_demo_corpus(folder: Path, pictures: int = 2000, seed: int = 0) -> None:
    """Write ``pictures`` PNG files and their captions below ``folder``.

    One family of near-duplicates in ten is for tests, one for validation. Families share no
    combination of objects and colours, hence the test pictures show combinations never trained.
    """
    _write(folder, _families(pictures, seed), pictures, seed)


def write_warm_up_corpus(folder: Path, pictures: int, beside: int, seed: int = 0) -> None:
    """Write more pictures, all of the training split, for the acquaintance with words.

    Args:
        beside: the size of the demo corpus of the same seed, none of whose combinations of
            objects and colours occurs here.
    """
    avoided = {scene.combination for _, family in _families(beside, seed) for scene in family}
    fresh = (
        ("train", family)
        for family in families(seed + 1)
        if avoided.isdisjoint(scene.combination for scene in family)
    )
    _write(folder, fresh, pictures, seed + 1)


def demo_captions(pictures: int, seed: int = 0) -> Iterator[str]:
    """The captions alone, five a picture, for tests of scale."""
    rng = random.Random(seed)
    for _, family in _families(pictures, seed):
        for scene in family:
            yield from captions(scene, rng)


_Family = tuple[str, list[Scene]]


def _families(pictures: int, seed: int) -> Iterator[_Family]:
    """Split and scenes of each family, until there are ``pictures`` scenes."""
    left = pictures
    for number, family in enumerate(families(seed)):
        yield {0: "test", 5: "val"}.get(number % 10, "train"), family[:left]
        left -= len(family)
        if left <= 0:
            return


def _write(folder: Path, source: Iterable[_Family], pictures: int, seed: int) -> None:
    rng = random.Random(seed)
    scenes = ((split, scene) for split, family in source for scene in family)
    rows = []
    numbered = enumerate(islice(scenes, pictures))
    for number, (split, scene) in progress(numbered, "drawing pictures", total=pictures):
        name = f"{number:07d}"
        image = f"images/{name[:4]}/{name}.png"
        path = folder / image
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(scene, rng).save(path)
        rows.append(Picture(name, image, split, tuple(captions(scene, rng))))
    write_corpus(rows, folder)
