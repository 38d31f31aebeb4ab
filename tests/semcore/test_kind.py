"""A search of each direction finds items of one kind."""

from typing import get_args

from semcore.kind import DIRECTIONS, KINDS, Direction, Kind, target_kind


def test_all_kinds_and_directions_are_listed() -> None:
    assert get_args(Kind) == KINDS
    assert get_args(Direction) == DIRECTIONS


def test_a_direction_says_what_it_finds() -> None:
    for direction in DIRECTIONS:
        assert direction.endswith(f"-to-{target_kind(direction)}")
    assert {target_kind(direction) for direction in DIRECTIONS} == set(KINDS)
