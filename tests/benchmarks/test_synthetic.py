"""Invented identifiers are different, and the walk over them has them all."""

import numpy as np
import pytest

from benchmarks.synthetic import (
    draw_identifiers,
    enlarged_spelling,
    invented_spelling,
    invented_words,
    spell,
    texts,
    walk_over,
)
from semcore.identifiers.identifier import Identifier


def test_identifiers_differ_and_are_spelled() -> None:
    identifiers = draw_identifiers(500, clusters=4, words=50)
    assert len(np.unique(identifiers, axis=0)) == 500
    assert all(len(set(row[1:])) == 4 for row in identifiers.tolist())
    assert (draw_identifiers(500, clusters=4, words=50) == identifiers).all()
    spelling = invented_spelling(4, 50)
    walk = walk_over(identifiers, spelling)
    assert walk.identifiers == 500
    tokens, lengths = spell(identifiers, spelling)
    assert len(tokens) == lengths.sum()
    first = tokens[: lengths[0]].tolist()
    spelled = walk.follow(first)
    assert spelled is not None
    assert walk.items_of(spelled[1]).tolist() == [0]
    shown = list(texts(identifiers, invented_words(50)))
    assert len({Identifier.parse(text) for text in shown}) == 500


def test_a_spelling_is_enlarged_with_tokens_that_there_are() -> None:
    known = invented_spelling(4, 50)
    spelling = enlarged_spelling(known, range(10, 60), clusters=9, words=400)
    assert spelling.clusters[:4] == list(known.clusters)
    assert len(set(spelling.clusters)) == 9
    assert spelling.words[:50] == [tuple(word) for word in known.words]
    assert len(set(map(tuple, spelling.words))) == 400
    assert {token for word in spelling.words[50:] for token in word} <= set(range(10, 60))
    assert {len(word) for word in spelling.words[50:]} == {2, 3}


def test_says_that_there_are_not_enough() -> None:
    with pytest.raises(ValueError, match="do not give"):
        draw_identifiers(1000, clusters=1, words=5)
