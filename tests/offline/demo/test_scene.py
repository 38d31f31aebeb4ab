"""Scenes come in families of near-duplicates, and no two families show the same."""

from dataclasses import fields
from itertools import islice

from offline.demo.scene import (
    BACKGROUNDS,
    COLOURS,
    KINDS,
    MAX_COUNT,
    SIZES,
    Group,
    Scene,
    families,
)


def differences(one: Scene, other: Scene) -> list[str]:
    """The details in which two scenes of as many groups differ."""
    found = [] if one.background == other.background else ["background"]
    for mine, theirs in zip(one.groups, other.groups, strict=True):
        names = [field.name for field in fields(Group)]
        found += [name for name in names if getattr(mine, name) != getattr(theirs, name)]
    return found


def test_is_the_same_for_a_seed() -> None:
    first, again, other = (list(islice(families(seed), 50)) for seed in (0, 0, 1))
    assert first == again != other


def test_no_combination_is_in_two_families() -> None:
    seen: set[frozenset[tuple[str, str]]] = set()
    kinds, backgrounds, twins = set(), set(), 0
    for family in islice(families(0), 400):
        combinations = {scene.combination for scene in family}
        assert seen.isdisjoint(combinations)
        seen |= combinations
        twins += len(family) > 1
        kinds |= {group.kind for scene in family for group in scene.groups}
        backgrounds |= {scene.background for scene in family}
    assert kinds == set(KINDS)
    assert len(kinds) >= 16
    assert backgrounds == set(BACKGROUNDS)
    assert twins > 100


def test_scenes_show_what_can_be_drawn() -> None:
    for family in islice(families(1), 300):
        for scene in family:
            assert scene.background in BACKGROUNDS
            assert len(scene.groups) in (2, 3)
            for group in scene.groups:
                assert group.kind in KINDS
                assert group.colour in COLOURS
                assert group.size in SIZES
                assert 1 <= group.count <= MAX_COUNT[len(scene.groups)]
            # Who asks for the red boat means one of them.
            assert len({group.kind for group in scene.groups}) == len(scene.groups)


def test_near_duplicates_differ_in_one_detail_of_any_sort() -> None:
    seen = set()
    for family in islice(families(2), 400):
        assert 1 <= len(family) <= 3
        assert len(set(family)) == len(family)
        for twin in family[1:]:
            (detail,) = differences(family[0], twin)
            seen.add(detail)
    assert seen == {"background", *(field.name for field in fields(Group))}
