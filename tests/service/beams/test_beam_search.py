"""With beams enough the search is exhaustive; with fewer it returns a part of that, in order."""

import itertools
import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from walks import random_layer, walk_of

from semcore.trie.layers import Layer, Layers, Leaves, Positions
from service.beams.beam_search import Answer, Beam, BeamSearch, Row

END = 2
SEQUENCES = [
    (*body, END) for length in (1, 2, 3) for body in itertools.product((3, 4, 5), repeat=length)
]


def logprob_of(prefix: tuple[int, ...], token: int, seed: int) -> float:
    """Half of the probability is for tokens that no walk has."""
    return math.log(random.Random(f"{seed}{prefix}{token}").uniform(0.01, 0.5) / 4)


def search(layers: Layers, beam_width: int, seed: int, *, constrained: bool = True) -> list[Beam]:
    beams = BeamSearch(layers, beam_width, constrained=constrained)
    run(beams, layers, lambda tokens, token: logprob_of(tokens, token, seed), constrained)
    return beams.beams


def run(
    beams: BeamSearch,
    layers: Layers,
    logprob: Callable[[tuple[int, ...], int], float],
    constrained: bool = True,
) -> int:
    """Answer a search as an engine does, row by row; the steps that it took."""
    seen: dict[int, Row] = {}
    chosen: dict[int, int] = {}
    steps = 0
    while beams.rows:
        answers = {}
        for number, row in beams.rows.items():
            if number in seen:
                # The row went on, hence with the token that the engine had chosen.
                assert row.tokens[:-1] == (*seen[number].tokens, *seen[number].forced)
                assert row.tokens[-1] == chosen[number]
            elif row.parent is not None:
                assert row.tokens[:-1] == (*seen[row.parent].tokens, *seen[row.parent].forced)
            spelled = (*row.tokens, *row.forced)
            allowed = (
                layers.allowed(row.ahead or row.positions).tolist()
                if constrained
                else [2, 3, 4, 5, 6]
            )
            ranked = sorted(allowed, key=lambda t, at=spelled: (-logprob(at, t), t))
            answers[number] = Answer(
                ranked[0],
                np.array(ranked),
                np.array([logprob(spelled, token) for token in ranked], np.float32),
                np.array(
                    [
                        logprob((*row.tokens, *row.forced[:place]), token)
                        for place, token in enumerate(row.forced)
                    ],
                    np.float32,
                ),
            )
        seen = dict(beams.rows)
        chosen = {number: answer.chosen for number, answer in answers.items()}
        beams.advance(answers)
        steps += 1
    return steps


def exact(layers: Layers, seed: int) -> dict[Leaves, float]:
    found = {}
    for sequence in SEQUENCES:
        spelled = layers.follow(sequence)
        assert spelled is not None
        found[spelled[1]] = sum(
            logprob_of(sequence[:place], token, seed) for place, token in enumerate(sequence)
        )
    return found


@pytest.mark.parametrize("seed", range(5))
def test_finds_the_likeliest(seed: int) -> None:
    layers = Layers([Layer(walk_of(SEQUENCES))])
    known = exact(layers, seed)
    ranked = sorted(known, key=lambda leaves: -known[leaves])
    beams = search(layers, len(SEQUENCES), seed)
    assert [beam.leaves for beam in beams] == ranked
    assert [b.logprob for b in beams] == pytest.approx(
        [known[leaves] for leaves in ranked], abs=1e-4
    )
    few = search(layers, 5, seed)
    assert len(few) == 5
    assert [b.logprob for b in few] == sorted((b.logprob for b in few), reverse=True)
    assert all(beam.logprob == pytest.approx(known[beam.leaves], abs=1e-4) for beam in few)


@pytest.mark.parametrize("seed", range(300))
def test_tokens_without_a_choice_are_replayed_as_if_spelled_one_by_one(seed: int) -> None:
    """Layers, deletes and filters, ties, traces and choices."""
    rng = random.Random(seed)
    first, _ = random_layer(rng, rng.randrange(1, 40), 0, some=seed % 3 > 0)
    second, _ = random_layer(rng, rng.randrange(1, 8), 1000, some=seed % 4 == 0)
    layers = Layers([first, second] if seed % 2 else [first])
    coarse = rng.choice([1, 10])  # else hardly any two beams are as likely

    def logprob(tokens: tuple[int, ...], token: int) -> float:
        return math.log(random.Random(f"{seed}{tokens}{token}").randint(1, coarse) / (4 * coarse))

    beam_width, traced = rng.randrange(1, 12), bool(rng.randrange(2))
    if not len(layers.allowed(layers.root)):
        return
    ours = BeamSearch(layers, beam_width, traced=traced)
    stepwise = BeamSearch(layers, beam_width, traced=traced, stepwise=True)
    taken, expected = run(ours, layers, logprob), run(stepwise, layers, logprob)
    assert ours.beams == stepwise.beams
    assert ours.trail == stepwise.trail
    assert taken <= expected


def check_choices(
    beam: Beam,
    layers: Layers,
    trail: list[list[Positions]],
    logprob: Callable[[tuple[int, ...], int], float],
) -> None:
    """Each is what the beam spelled, beside the likeliest others that may stand there."""
    before: tuple[int, ...] = ()
    positions = layers.root
    for place, choice in enumerate(beam.choices):
        others = [token for token in layers.allowed(positions).tolist() if token != choice.token]
        likeliest = sorted(others, key=lambda token, at=before: (-logprob(at, token), token))[:4]
        assert [token for token, _ in choice.beaten] == likeliest
        assert choice.logprob == pytest.approx(logprob(before, choice.token), abs=1e-5)
        step = layers.step(positions, choice.token)
        assert step is not None
        before, (positions, leaves) = (*before, choice.token), step
        assert choice is beam.choices[-1] or positions in trail[place]
    assert leaves == beam.leaves
    assert sum(choice.logprob for choice in beam.choices) == pytest.approx(beam.logprob, abs=1e-4)


@pytest.mark.parametrize("seed", range(100))
def test_identifiers_scored_at_once_are_never_worse(seed: int) -> None:
    """One by one at least as likely as the beams, and exact where all were scored."""
    rng = random.Random(seed)
    first, kept = random_layer(rng, rng.randrange(1, 40), 0, some=seed % 3 > 0)
    second, added = random_layer(rng, rng.randrange(1, 8), 1000, some=seed % 4 == 0)
    layers = Layers([first, second])
    if not kept and not added:
        return

    def logprob(tokens: tuple[int, ...], token: int) -> float:
        return logprob_of(tokens, token, seed)

    beam_width = rng.randrange(1, 12)
    for limit in (1, 5, 1000):
        ours = BeamSearch(layers, beam_width, leaf_limit=limit)
        traced = BeamSearch(layers, beam_width, leaf_limit=limit, traced=True)
        beams = BeamSearch(layers, beam_width)
        assert run(ours, layers, logprob) <= run(beams, layers, logprob)
        assert len(ours.beams) >= len(beams.beams)
        for one, other in zip(ours.beams, beams.beams, strict=False):
            assert one.logprob >= other.logprob
        for beam in ours.beams:
            assert layers.items_of(beam.leaves)
        # A traced search finds the same, and says how.
        run(traced, layers, logprob)
        assert [(b.leaves, b.logprob) for b in traced.beams] == [
            (b.leaves, b.logprob) for b in ours.beams
        ]
        for beam in traced.beams:
            check_choices(beam, layers, traced.trail, logprob)
    identifiers = {*kept.values(), *added.values()}
    known = sorted(
        (
            sum(logprob(one[:place], token) for place, token in enumerate(one))
            for one in identifiers
        ),
        reverse=True,
    )
    found = [beam.logprob for beam in ours.beams]
    if beam_width >= len(layers.allowed(layers.root)):  # no first token was left out
        assert found == pytest.approx(known[:beam_width], abs=1e-4)


def test_one_step_spells_all_that_follows_once_no_row_has_a_choice() -> None:
    """A long tail beside a short one, which ends before it."""
    layers = Layers([Layer(walk_of([(3, 4, 5, 6, 7, END), (4, 5, 6, END), (4, 5, 7, 8, END)]))])
    steps = {}
    for width in (1, 2, 3):
        ours = BeamSearch(layers, width)
        steps[width] = run(ours, layers, lambda tokens, token: -1.0 - token / 10)
    # 3; all the rest. — 3 or 4; then 5 after either; then 6 or 7; all the rest.
    assert steps == {1: 2, 2: 3, 3: 3}


def test_without_the_constraint_looks_up_what_was_spelled() -> None:
    layers = Layers([Layer(walk_of(SEQUENCES))])
    beams = search(layers, 20, 0, constrained=False)
    assert any(not beam.leaves for beam in beams)
    known = exact(layers, 0)
    found = [beam for beam in beams if beam.leaves]
    assert found
    assert all(beam.logprob == pytest.approx(known[beam.leaves], abs=1e-4) for beam in found)


def test_forbidden_tokens_are_no_candidates() -> None:
    beams = BeamSearch(Layers([Layer(walk_of([(3, END), (4, END)]))]), 5)
    logprobs = np.array([-1.0, -2.0, -np.inf, -np.inf], np.float32)
    beams.advance({0: Answer(3, np.array([3, 4, 0, 1]), logprobs)})
    assert [row.tokens for row in beams.rows.values()] == [(3,), (4,)]
    assert list(beams.rows) == [0, 1]


def test_where_all_is_forbidden_the_search_is_lost() -> None:
    beams = BeamSearch(Layers([Layer(walk_of([(3, END), (4, END)]))]), 5)
    assert not beams.is_lost
    beams.advance({0: Answer(0, np.array([0, 1]), np.full(2, -np.inf, np.float32))})
    assert beams.is_lost
