"""The demo corpus: drawn by the project itself, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count
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
    rows = []
    for picture, scene, rng in progress(_pictures(pictures, seed), "drawing", total=pictures):
        path = folder / picture.image
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(scene, rng).save(path)
        rows.append(picture)
    write_corpus(rows, folder)


def demo_captions(pictures: int, seed: int = 0) -> Iterator[str]:
    """The captions alone, five a picture, for tests of scale."""
    for picture, _, _ in _pictures(pictures, seed):
        yield from picture.captions


def _pictures(pictures: int, seed: int) -> Iterator[tuple[Picture, Scene, random.Random]]:
    rng = random.Random(seed + 1)
    number = count()
    for family, scenes in enumerate(families(seed)):
        split = {0: "test", 5: "val"}.get(family % 10, "train")
        for scene in scenes:
            place = next(number)
            if place == pictures:
                return
            name = f"{place:07d}"
            image = f"images/{name[:4]}/{name}.png"
            yield Picture(name, image, split, tuple(captions(scene, rng))), scene, rng
