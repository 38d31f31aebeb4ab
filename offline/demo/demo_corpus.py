"""The demo corpus: drawn by the project itself, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from offline.corpus.corpus import write_corpus
from offline.corpus.picture import Picture
from offline.demo.drawing import draw
from offline.demo.scene import Scene, families
from offline.demo.wording import captions
from offline.progress import progress


def write_demo_corpus(folder: Path, pictures: int = 2000, seed: int = 0) -> None:
    """Write ``pictures`` PNG files and their captions below ``folder``.

    One family of near-duplicates in ten is for tests, one for validation. Families share no
    combination of objects and colours, hence the test pictures show combinations never trained.
    """
    scenes = ((split, scene) for split, family in _families(pictures, seed) for scene in family)
    _write(folder, scenes, pictures, seed)


def write_warm_up_corpus(folder: Path, pictures: int, beside: int, seed: int = 0) -> None:
    """Write more pictures, all of the training split, to learn seeing from.

    Args:
        beside: the size of the demo corpus of the same seed, none of whose combinations of
            objects and colours occurs here.
    """
    avoided = {scene.combination for _, family in _families(beside, seed) for scene in family}
    fresh = (
        family
        for family in families(seed + 1)
        if avoided.isdisjoint(scene.combination for scene in family)
    )
    scenes = (("train", scene) for family in fresh for scene in family)
    _write(folder, scenes, pictures, seed + 1)


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


def _write(folder: Path, scenes: Iterable[tuple[str, Scene]], pictures: int, seed: int) -> None:
    """Each picture has a random source of its own, so that the painters may work side by side."""
    jobs = (
        (folder, number, split, scene, f"{seed}:{number}")
        for number, (split, scene) in enumerate(islice(scenes, pictures))
    )
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as painters:
        rows = painters.map(_paint, jobs, chunksize=50)
        drawn = list(progress(rows, "drawing pictures", total=pictures))
    write_corpus(drawn, folder)


def _paint(job: tuple[Path, int, str, Scene, str]) -> Picture:
    folder, number, split, scene, seed = job
    rng = random.Random(seed)
    name = f"{number:07d}"
    image = f"images/{name[:4]}/{name}.png"
    path = folder / image
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(scene, rng).save(path)
    return Picture(name, image, split, tuple(captions(scene, rng)))
