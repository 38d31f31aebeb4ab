"""Constrained beam search: the likeliest identifiers of some walks for one query.

The semantics are those of Hugging Face's ``generate`` with ``num_beams``, ``early_stopping=False``
and no length penalty, held to the walk by ``prefix_allowed_tokens_fn``; the tests compare the two.

This module knows of no engine. A :class:`BeamSearch` says of which *rows* it wants the next
token's probabilities, is told them, and says which rows go on, which end and which begin.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from semcore.trie.layers import Layers, Leaves, Positions, Run
from semcore.trie.walk import DONE

_BEATEN = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """A token of an identifier, its log-probability after those before it, and the likeliest others
    that could have stood there."""

    token: int
    logprob: float
    beaten: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Beam:
    """A finished identifier: its leaves in the layers, and the sum of its log-probabilities.

    There are no leaves for a sequence that no layer holds (unconstrained search only), and no
    choices unless the search was traced.
    """

    leaves: Leaves
    logprob: float
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says of the token that follows a row.

    Attributes:
        chosen: the token that the engine spelled, with which it can go on at no cost.
        tokens: int [candidates], the likeliest tokens, best first.
        logprobs: float [candidates], over the whole vocabulary; -inf where the layers forbid.
        forced: float [tokens], the log-probabilities of those that the row is forced to spell
            before.
    """

    chosen: int
    tokens: NDArray[np.int32]
    logprobs: NDArray[np.float32]
    forced: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Row:
    """A beam under way: the tokens it has spelled, where they lead, and their log-probability.

    Attributes:
        parent: the row that it branched off from; None for the first one.
        forced: the tokens that it spells next, since the layers allow no others, or since it is
            one of the identifiers that are scored at once: all of it then, the end included.
        ahead: where these lead; None where there are none, or nothing follows.
    """

    positions: Positions
    tokens: tuple[int, ...] = ()
    leaves: Leaves = ()
    logprob: float = 0.0
    parent: int | None = None
    choices: tuple[Choice, ...] = ()
    forced: tuple[int, ...] = ()
    ahead: Positions | None = None


class BeamSearch:
    """The beams of one search; ``rows`` are those under way, by number. Of a search that is traced
    ``trail`` has the positions of those after each step, and every beam its choices.

    A row that goes on keeps its number if the engine has chosen its token, for then the engine's
    own request goes on as well; every other one is new.

    As soon as *no* row has a choice, none can push out another before one has a choice again, so
    they are all forced to spell what must follow at once, and the log-probabilities of it are
    replayed token by token: beams, order and early end are those of a search that takes a step a
    token.

    As soon as no more than ``leaf_limit`` identifiers can be spelled from where the rows stand,
    each of these becomes a row (then the search ``has_leaves``), all are scored at once, and the
    likeliest are exact from there.
    """

    def __init__(
        self,
        layers: Layers,
        beam_width: int,
        *,
        constrained: bool = True,
        traced: bool = False,
        leaf_limit: int = 0,
        stepwise: bool = False,
    ) -> None:
        """``stepwise``: take a step a token, for engines that choose but do not follow."""
        self._layers = layers
        self._beam_width = beam_width
        self._constrained = constrained
        self._traced = traced
        self._stepwise = stepwise or not constrained
        self._leaf_limit = leaf_limit
        self.has_leaves = False
        self.trail: list[list[Positions]] = []
        self._finished: list[Beam] = []
        self._spelled = 0
        self._numbers = 1
        self.rows = self._forced({0: Row(layers.root)})

    @property
    def beams(self) -> list[Beam]:
        """Up to ``beam_width`` finished identifiers, likeliest first (paper 3.2.3)."""
        return self._finished

    @property
    def is_lost(self) -> bool:
        """It ended with nothing: the engine could follow the layers no further."""
        return self._constrained and not self.rows and not self._finished

    def advance(self, answers: Mapping[int, Answer]) -> None:
        """Spell what the rows are forced to, and one more token; ``answers`` holds one for each.

        After the last one ``rows`` is empty.
        """
        if self.has_leaves:
            self._finish(answers)
            return
        forced = {number: row.forced for number, row in self.rows.items()}
        for place in range(max(map(len, forced.values())) + 1):
            # A row that has spelled all that it is forced to before the others has ended by then.
            self._advance(
                {
                    number: _forced_answer(forced[number][place], answers[number].forced[place])
                    if place < len(forced[number])
                    else answers[number]
                    for number in self.rows
                }
            )
            if not self.rows:
                return
        self.rows = self._forced(self.rows)

    def _forced(self, rows: dict[int, Row]) -> dict[int, Row]:
        """The rows with what they are forced to spell; nothing as long as one has a choice."""
        if self._stepwise:
            return rows
        runs: dict[int, Run] = {}
        for number, row in rows.items():
            runs[number] = self._layers.run(row.positions)
            if not runs[number].is_last and not runs[number].tokens:
                # The first row has nothing yet that others could begin with.
                return self._leaves(rows) if self._leaf_limit and self._spelled else rows
        most = min((len(run.tokens) for run in runs.values() if not run.is_last), default=None)
        return {number: self._run(row, runs[number].tokens[:most]) for number, row in rows.items()}

    def _run(self, row: Row, tokens: tuple[int, ...]) -> Row:
        followed = self._layers.follow(tokens, row.positions)
        assert followed is not None, "a row is forced to spell what the walk forbids"
        return replace(row, forced=tokens, ahead=followed[0] if tokens else None)

    def _leaves(self, rows: dict[int, Row]) -> dict[int, Row]:
        """A row for each identifier that the rows can spell, if these are not too many."""
        found: list[Row] = []
        for row in rows.values():
            endings = self._layers.endings(row.positions, self._leaf_limit - len(found))
            if endings is None:
                return rows
            found += [
                replace(row, forced=tokens, leaves=leaves) for tokens, leaves in endings.items()
            ]
        self.has_leaves = True
        first = self._numbers
        self._numbers += len(found)
        return dict(enumerate(found, start=first))

    def _finish(self, answers: Mapping[int, Answer]) -> None:
        told = {number: answers[number].forced for number in self.rows}
        choices = self._compared(told) if self._traced else {}
        for number, row in self.rows.items():
            parts = np.array([row.logprob, *told[number]], np.float32)
            logprob = float(parts.cumsum()[-1])
            if math.isfinite(logprob):
                spelled = (*row.choices, *choices.get(number, ()))
                self._finished.append(Beam(row.leaves, logprob, spelled))
        if self._traced:
            self._follow_leaves()
        self._finished = self._likeliest()
        self.rows = {}

    def _compared(self, told: Mapping[int, NDArray[np.float32]]) -> dict[int, tuple[Choice, ...]]:
        """What each row spells, beside what others do that begin alike: that is all that may
        follow."""
        following: dict[tuple[int, ...], dict[int, float]] = {}
        spelled: dict[int, list[tuple[tuple[int, ...], int]]] = {}
        for number, row in self.rows.items():
            places = [
                ((*row.tokens, *row.forced[:place]), token)
                for place, token in enumerate(row.forced)
            ]
            spelled[number] = places
            for (before, token), logprob in zip(places, told[number].tolist(), strict=True):
                following.setdefault(before, {})[token] = logprob
        ranked = {
            before: sorted(tokens.items(), key=lambda one: (-one[1], one[0]))
            for before, tokens in following.items()
        }
        return {
            number: tuple(_chosen(token, ranked[before]) for before, token in places)
            for number, places in spelled.items()
        }

    def _follow_leaves(self) -> None:
        """Add to the trail where the rows are after each of their tokens."""
        places = {number: row.positions for number, row in self.rows.items()}
        for place in range(max(len(row.forced) for row in self.rows.values())):
            for number in list(places):
                step = self._layers.step(places[number], self.rows[number].forced[place])
                assert step is not None, "a row is forced to spell what the walk forbids"
                places[number] = step[0]
                if place == len(self.rows[number].forced) - 1:
                    del places[number]
            self.trail.append([*dict.fromkeys(places.values())])

    def _likeliest(self) -> list[Beam]:
        return heapq.nlargest(self._beam_width, self._finished, key=lambda beam: beam.logprob)

    def _advance(self, answers: Mapping[int, Answer]) -> None:
        """Spell one more token."""
        parents = list(self.rows)
        logprobs = np.concatenate(
            [answers[parent].logprobs + self.rows[parent].logprob for parent in parents]
        )
        tokens = np.concatenate([answers[parent].tokens for parent in parents])
        origins = np.repeat(
            np.arange(len(parents)), [len(answers[parent].tokens) for parent in parents]
        )
        # Twice as many as there are beams, since each of these may have come to its end.
        best = _best(logprobs, origins, tokens, 2 * self._beam_width)
        self._spelled += 1
        following: dict[int, Row] = {}
        for rank, place in enumerate(best.tolist()):
            parent, token = parents[origins[place]], int(tokens[place])
            if token == self._layers.end:
                if rank < self._beam_width:
                    row = self._spell(parent, token, float(logprobs[place]), answers[parent])
                    self._finished.append(self._beam(row))
            elif len(following) < self._beam_width:
                row = self._spell(parent, token, float(logprobs[place]), answers[parent])
                goes_on = token == answers[parent].chosen
                following[parent if goes_on else self._numbers] = row
                self._numbers += not goes_on
        self._finished = self._likeliest()
        self.rows = {} if self._is_over(following) else following
        if self._traced:
            self.trail.append([row.positions for row in following.values()])

    def _spell(self, parent: int, token: int, logprob: float, answer: Answer) -> Row:
        before = self.rows[parent]
        positions, leaves = before.positions, before.leaves
        if self._constrained:
            step = self._layers.step(positions, token)
            assert step is not None, "the engine returned a token that the walk forbids"
            positions, leaves = step
        choices = (*before.choices, _choice(token, answer)) if self._traced else ()
        return Row(positions, (*before.tokens, token), leaves, logprob, parent, choices)

    def _beam(self, row: Row) -> Beam:
        if self._constrained:
            return Beam(row.leaves, row.logprob, row.choices)
        spelled = self._layers.follow(row.tokens)
        is_whole = spelled is not None and DONE in spelled[0]
        leaves = spelled[1] if spelled is not None and is_whole else ()
        return Beam(leaves, row.logprob, row.choices)

    def _is_over(self, following: Mapping[int, Row]) -> bool:
        if not following or self._spelled == self._layers.depth:
            return True
        best = next(iter(following.values()))
        full = len(self._finished) == self._beam_width
        return full and self._finished[-1].logprob >= best.logprob


def _best(
    logprobs: NDArray[np.float32], origins: NDArray[np.int64], tokens: NDArray[np.int32], most: int
) -> NDArray[np.int64]:
    """The places of the likeliest, int64 [up to ``most``], those before that are equal first."""
    places = np.flatnonzero(np.isfinite(logprobs))
    if len(places) > most:  # sorting is slow where fifty rows have a hundred candidates each
        least = np.partition(logprobs[places], len(places) - most)[len(places) - most]
        places = places[logprobs[places] >= least]
    order = np.lexsort((tokens[places], origins[places], -logprobs[places]))
    found: NDArray[np.int64] = places[order[:most]]
    return found


def _forced_answer(token: int, logprob: float) -> Answer:
    return Answer(token, np.array([token]), np.array([logprob], np.float32))


def _choice(token: int, answer: Answer) -> Choice:
    told = zip(answer.tokens.tolist(), answer.logprobs.tolist(), strict=True)
    return _chosen(token, [one for one in told if math.isfinite(one[1])])


def _chosen(token: int, told: Sequence[tuple[int, float]]) -> Choice:
    """``told``: all that may stand there, best first."""
    beaten = [one for one in told if one[0] != token][:_BEATEN]
    return Choice(token, dict(told)[token], tuple(beaten))
