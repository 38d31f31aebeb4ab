"""Every kind, colour, size and number makes another picture."""

import random
from dataclasses import replace

import pytest
from PIL import ImageChops

from offline.demo.drawing import PICTURE_SIZE, draw
from offline.demo.scene import BACKGROUNDS, COLOURS, KINDS, Group, Scene

SCENE = Scene("meadow", (Group("boat", "red", "small", 1), Group("cat", "blue", "large", 2)))


def painted(scene: Scene) -> bytes:
    return draw(scene, random.Random(0)).tobytes()


def test_is_an_rgb_picture_of_its_size() -> None:
    picture = draw(SCENE, random.Random(0))
    assert (picture.mode, picture.size) == ("RGB", (PICTURE_SIZE, PICTURE_SIZE))


def test_all_kinds_colours_and_backgrounds_differ() -> None:
    first = SCENE.groups[0]
    groups = [replace(first, kind=kind) for kind in KINDS]
    groups += [replace(first, colour=colour) for colour in COLOURS if colour != first.colour]
    groups += [replace(first, size="large"), replace(first, count=2), replace(first, count=3)]
    scenes = [replace(SCENE, groups=(group, SCENE.groups[1])) for group in groups]
    scenes += [replace(SCENE, background=name) for name in BACKGROUNDS if name != "meadow"]
    assert len({painted(scene) for scene in scenes}) == len(scenes)


@pytest.mark.parametrize("groups", [2, 3])
def test_one_group_is_changed_in_its_place_only(groups: int) -> None:
    group = Group("heart", "red", "small", 1)
    before = Scene("desert", (group,) * groups)
    after = replace(before, groups=(replace(group, colour="blue"), *before.groups[1:]))
    pictures = [draw(scene, random.Random(1)) for scene in (before, after)]
    left, _, right, _ = ImageChops.difference(*pictures).getbbox()
    assert right - left < PICTURE_SIZE / 2
