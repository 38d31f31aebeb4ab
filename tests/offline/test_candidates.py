"""Candidate sets are what the model retrieved, with one right answer each."""

from pathlib import Path

from offline.candidates import CandidateDataset, Query, choose_queries, retrieve_candidates
from offline.corpus import Corpus
from offline.training import load_model
from semcore.item import Item
from semcore.prompt import DIRECTIONS, LABELS


def test_sets_hold_the_right_item_once(
    trained: Path, training_items: list[Item], corpus: Corpus
) -> None:
    model, processor = load_model(trained / "model")
    queries = choose_queries(training_items, 4, seed=1)
    sets = retrieve_candidates(model, processor, training_items, queries, corpus.image_root)
    assert len(sets) == len(queries) == 8
    for query, found in zip(queries, sets, strict=True):
        assert sum(item.pair == query.pair for item in found) <= 1
        assert len(found) <= 10


def test_the_answer_is_the_place_of_the_right_item(
    training_items: list[Item], corpus: Corpus
) -> None:
    pictures = [item for item in training_items if item.kind == "image"][:5]
    queries = [Query("text-to-image", "a boat", picture.pair) for picture in pictures]
    data = CandidateDataset(queries, [pictures] * len(queries), corpus.image_root)
    assert [data[number].answer for number in range(len(data))] == list(LABELS[:5])
    assert data[0].images == tuple(corpus.image_root / picture.image for picture in pictures)


def test_sets_without_the_right_item_are_left_out(
    training_items: list[Item], corpus: Corpus
) -> None:
    pictures = [item for item in training_items if item.kind == "image"][:3]
    query = Query("text-to-image", "a boat", pictures[0].pair)
    data = CandidateDataset([query, query], [pictures, pictures[1:]], corpus.image_root)
    assert len(data) == 1
    assert data.sizes == ([3], [])


def test_queries_are_of_both_directions_and_not_repeated(training_items: list[Item]) -> None:
    queries = choose_queries(training_items, 10, seed=0)
    assert [query.direction for query in queries] == [d for d in DIRECTIONS for _ in range(10)]
    assert len(set(queries)) == len(queries)
