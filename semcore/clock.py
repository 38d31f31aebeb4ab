"""The clock of changes: which of them a bundle or a journal holds, as all replicas know it.

Replicas put their changes into one order, that of a stream. A *position* is a place in that order:
the generation of the stream, and the number that the stream gave to the entry. A stream that was
lost is followed by another one of a later generation, so that positions go on growing. Generations
are the milliseconds since 1970 at which streams began, since two replicas that cannot know of each
other may both begin one: no two streams have the same.

Changes of a service that has no stream are known by the name of its journal and their number there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict

Position = str
"""``GGGGGGGGGGGGG-MMMMMMMMMMMMMMM-SSSSSSSS``: generation, milliseconds and sequence of an entry,
padded with zeros, so that positions compare as text: also those of an earlier program, whose
generations were counted from 1 and have six digits. ``""`` comes before all of them."""


class Clock(BaseModel):
    """Which changes are held.

    Attributes:
        positions: of each generation of the stream, ascending, the position up to which all of its
            entries are held.
        journals: of each journal that wrote changes without a stream, by name, the number up to
            which they are held.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    positions: tuple[Position, ...] = ()
    journals: dict[str, int] = {}

    @property
    def position(self) -> Position:
        """The last position that is held."""
        return self.positions[-1] if self.positions else ""

    def covers(self, other: Clock) -> bool:
        """Whether it holds all that ``other`` holds."""
        mine = {generation_of(position): position for position in self.positions}
        return all(
            mine.get(generation_of(position), "") >= position for position in other.positions
        ) and all(self.journals.get(name, 0) >= last for name, last in other.journals.items())

    def merged(self, *others: Clock) -> Clock:
        """A clock that holds what any of them holds."""
        positions: dict[int, Position] = {}
        journals: dict[str, int] = {}
        for clock in (self, *others):
            for position in clock.positions:
                generation = generation_of(position)
                positions[generation] = max(positions.get(generation, ""), position)
            for name, last in clock.journals.items():
                journals[name] = max(journals.get(name, 0), last)
        return Clock(positions=tuple(sorted(positions.values())), journals=journals)

    def common(self, *others: Clock) -> Clock:
        """A clock that holds what all of them hold."""
        clocks = (self, *others)
        generations = [{generation_of(p): p for p in clock.positions} for clock in clocks]
        shared = set.intersection(*map(set, generations))
        names = set.intersection(*(set(clock.journals) for clock in clocks))
        return Clock(
            positions=tuple(min(one[g] for one in generations) for g in sorted(shared)),
            journals={name: min(clock.journals[name] for clock in clocks) for name in names},
        )

    def within(self, generation: int) -> Position:
        """The position that is held of one generation; "" if none is."""
        return next((p for p in self.positions if generation_of(p) == generation), "")

    @classmethod
    def at(cls, positions: Iterable[Position]) -> Self:
        """The clock that holds a stream up to these positions."""
        return cls(positions=tuple(sorted(positions)))

    def __bool__(self) -> bool:
        """Whether it holds any change."""
        return bool(self.positions or self.journals)

    def __str__(self) -> str:
        places = [short(position) for position in self.positions]
        return ", ".join([*places, *(f"{n} of {name}" for name, n in self.journals.items())])


def position_of(generation: int, entry: str) -> Position:
    """The position of a stream's entry, by the number that Redis has given to it."""
    milliseconds, _, sequence = entry.partition("-")
    return f"{generation:06d}-{int(milliseconds):015d}-{int(sequence or 0):08d}"


def generation_of(position: Position) -> int:
    """0 for the position before all others."""
    return int(position.partition("-")[0] or 0)


def entry_of(position: Position) -> str:
    """The number of the stream's entry at a position; ``0-0`` for that before all others."""
    if not position:
        return "0-0"
    _, milliseconds, sequence = position.split("-")
    return f"{int(milliseconds)}-{int(sequence)}"


def seconds_of(position: Position) -> float:
    """When the stream took an entry, in seconds since 1970; 0 for the position before all."""
    return int(entry_of(position).partition("-")[0]) / 1000


def short(position: Position) -> str:
    """A position without the zeros that it is padded with, for people and names."""
    return f"{generation_of(position)}-{entry_of(position)}" if position else ""
