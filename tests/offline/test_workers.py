"""The job on Ray's workers gives what it gives in one process."""

import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import ray

from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from offline.workers import Here, RayWorkers, SpreadEncoder, SpreadRanking, Workers
from semcore.bundle.item import ItemStore
from semcore.errors import ModelError
from semcore.extras import MissingExtraError
from semcore.identifiers.encoder import Encoder
from semcore.identifiers.keywords import KeywordRanker


@pytest.fixture(scope="module")
def on_ray() -> Iterator[Workers]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray warns of its own settings
        yield RayWorkers(2)
    ray.shutdown()


@pytest.fixture(params=["here", "ray"])
def workers(request: pytest.FixtureRequest) -> Workers:
    return Here() if request.param == "here" else request.getfixturevalue("on_ray")


def test_results_come_in_order(workers: Workers) -> None:
    batches = [[number, number + 1] for number in range(9)]
    assert list(workers.each(sum, batches, "sums")) == [2 * number + 1 for number in range(9)]
    assert list(workers.each(sum, [], "sums")) == []


def test_what_a_worker_raises_is_raised(workers: Workers) -> None:
    with pytest.raises(ModelError, match="no such model"):
        list(workers.with_each(make_failure, [[1]], "failures"))
    with pytest.raises(ModelError, match="no such model"):
        list(workers.each(fail, [[1]], "failures"))


def test_vectors_and_keywords_are_those_of_one_process() -> None:
    texts = ["a red boat", "two dogs in the snow", "a boat", "night over a house", "a red boat"]
    plain = Encoder()
    spread = SpreadEncoder("", Here(), texts=2)
    vectors = plain.encode(texts)
    np.testing.assert_allclose(spread.encode(texts), vectors, atol=1e-6)
    words = ["boat", "dogs", "house", "night", "red", "snow"]
    ranker = KeywordRanker(words, plain.encode(words), 2)
    found = SpreadRanking(Here(), texts=2)(ranker, texts, vectors)
    assert found == ranker(texts, vectors)
    assert set(found[0]) == {"red", "boat"}


@pytest.mark.slow
def test_a_bundle_built_on_ray_is_the_same(
    corpus: Corpus, tmp_path: Path, on_ray: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offline.bundle.build.SpreadEncoder", partial(SpreadEncoder, texts=256))
    monkeypatch.setattr("offline.bundle.build.SpreadRanking", partial(SpreadRanking, texts=100))
    build_bundle(corpus, tmp_path / "here", BuildSettings())
    build_bundle(corpus, tmp_path / "ray", BuildSettings(), workers=on_ray)
    here, there = (ItemStore(tmp_path / name / "items.sqlite", ()) for name in ("here", "ray"))
    assert list(here) == list(there)
    assert len(list(here)) > 0
    here.close()
    there.close()


def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"semcore\[ray\]"):
        RayWorkers(1)


def make_failure() -> Callable[[list[int]], int]:
    raise ModelError("no such model")


def fail(_: list[int]) -> int:
    raise ModelError("no such model")
