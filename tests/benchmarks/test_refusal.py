"""What the benchmark of refusal asks: two hundred sentences, and queries about what is gone."""

import numpy as np
import pytest

from benchmarks.refusal import FAR, OBJECTS, _auc, _pattern


def test_two_hundred_sentences_about_other_matters() -> None:
    sentences = FAR.read_text().splitlines()
    assert len(set(sentences)) == 200
    assert all(sentence == sentence.strip() != "" for sentence in sentences)


@pytest.mark.parametrize("corpus", OBJECTS)
def test_eight_objects_are_taken_out(corpus: str) -> None:
    assert len(OBJECTS[corpus]) == 8
    found = _pattern(OBJECTS[corpus])
    assert found.search("Two boats at night")
    assert not found.search("a boating lake")


def test_the_area_under_the_curve_is_how_often_one_is_above_the_other() -> None:
    assert _auc(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1.0
    assert _auc(np.array([0.5]), np.array([0.5])) == 0.5
