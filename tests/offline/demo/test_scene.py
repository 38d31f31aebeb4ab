"""Scenes come in families of near-duplicates, and no two families show the same."""

from itertools import islice

from offline.demo.scene import BACKGROUNDS, KINDS, families


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
