"""With beams enough the search is exhaustive; with fewer it returns a part of that, in order."""

import itertools
from pathlib import Path

import pytest
from fake_engine import END, FakeEngine

from semcore.walk import build_walk
from service.beam import beam_search
from service.engine import Branch
from service.settings import Settings

SEQUENCES = [
    (*body, END) for length in (1, 2, 3) for body in itertools.product((3, 4, 5), repeat=length)
]


@pytest.mark.parametrize("query", ["a", "b", "c"])
async def test_finds_the_likeliest(tmp_path: Path, query: str) -> None:
    walk = build_walk(SEQUENCES, range(len(SEQUENCES)))
    walk.save(tmp_path / "image")
    engine = FakeEngine(tmp_path, Settings())
    prompt = engine.prompt(query)
    exact = []
    for key, sequence in enumerate(SEQUENCES):
        logprob = 0.0
        for place, token in enumerate(sequence):
            node = walk.follow(sequence[:place])
            assert node is not None
            branch = Branch(sequence[:place], node)
            answers = await engine.continue_branches(prompt, [branch], tmp_path / "image", 99)
            logprob += dict(zip(answers[0].tokens, answers[0].logprobs, strict=True))[token]
        exact.append((logprob, key))
    exact.sort(reverse=True)
    beams = await beam_search(engine, prompt, walk, tmp_path / "image", 39, constrained=True)
    assert [beam.key for beam in beams] == [key for _, key in exact]
    assert [beam.logprob for beam in beams] == pytest.approx([logprob for logprob, _ in exact])
    few = await beam_search(engine, prompt, walk, tmp_path / "image", 5, constrained=True)
    assert [beam.logprob for beam in few] == sorted((b.logprob for b in few), reverse=True)
    known = {beam.key: beam.logprob for beam in beams}
    assert all(beam.logprob == pytest.approx(known[beam.key]) for beam in few)


def test_depth_is_that_of_the_longest() -> None:
    assert build_walk(SEQUENCES, range(len(SEQUENCES))).depth == 4
    assert build_walk([(1, END)], [0]).depth == 2
