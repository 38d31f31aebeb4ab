"""A clock says which changes are held, in terms that all replicas share."""

from hypothesis import given
from hypothesis import strategies as st

from semcore.clock import Clock, entry_of, generation_of, position_of, seconds_of, short

_ENTRIES = st.builds(lambda ms, seq: f"{ms}-{seq}", st.integers(0, 10**13), st.integers(0, 10**7))
_POSITIONS = st.builds(position_of, st.integers(1, 4), _ENTRIES)
_CLOCKS = st.builds(
    lambda positions, journals: Clock().merged(Clock.at(positions), Clock(journals=journals)),
    st.dictionaries(st.integers(1, 4), _ENTRIES, max_size=3).map(
        lambda found: [position_of(generation, entry) for generation, entry in found.items()]
    ),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 99), max_size=3),
)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 10**13), st.integers(0, 10**7))))
def test_positions_compare_as_their_parts(places: list[tuple[int, int, int]]) -> None:
    positions = [position_of(generation, f"{ms}-{seq}") for generation, ms, seq in places]
    assert sorted(positions) == [
        position_of(generation, f"{ms}-{seq}") for generation, ms, seq in sorted(places)
    ]
    assert all(position > "" for position in positions)


@given(_POSITIONS)
def test_a_position_is_a_generation_and_an_entry(position: str) -> None:
    assert position_of(generation_of(position), entry_of(position)) == position
    assert short(position) == f"{generation_of(position)}-{entry_of(position)}"
    assert seconds_of(position) == int(entry_of(position).split("-")[0]) / 1000


def test_nothing_is_before_everything() -> None:
    assert (generation_of(""), entry_of(""), short(""), Clock().position) == (0, "0-0", "", "")
    assert not Clock()


@given(_CLOCKS, _CLOCKS)
def test_a_clock_that_holds_both_covers_both(one: Clock, other: Clock) -> None:
    merged, common = one.merged(other), one.common(other)
    assert merged.covers(one)
    assert merged.covers(other)
    assert one.covers(common)
    assert other.covers(common)
    assert one.covers(other) == (one.merged(other) == one.merged())
    assert one.covers(one)
    assert one.merged(one) == one
