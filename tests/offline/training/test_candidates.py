"""Candidate sets are what the model retrieved, with one right answer each."""

from pathlib import Path

from offline.corpus.corpus import Corpus
from offline.image_inputs import Pixels
from offline.model.backbone import load_model
from offline.training.candidates import CandidateDataset, Query, choose_queries, retrieve_candidates
from semcore.bundle.item import Item
from semcore.kind import DIRECTIONS, target_kind
from semcore.pictures.picture_source import StoredPicture


def test_sets_hold_what_the_beams_found(
    trained: Path, training_items: list[Item], corpus: Corpus
) -> None:
    model, processor = load_model(trained / "model")
    queries = choose_queries(training_items, 4, seed=1)
    sets = retrieve_candidates(
        model, processor, training_items, queries, corpus.image_root, Pixels(processor)
    )
    assert len(sets) == len(queries) == 8
    for query, found in zip(queries, sets, strict=True):
        assert 1 <= len(found) <= 10
        assert {item.kind for item in found} == {target_kind(query.direction)}


def test_the_right_candidate_is_answered_yes(training_items: list[Item], corpus: Corpus) -> None:
    pictures = [item for item in training_items if item.kind == "image"][:3]
    texts = [item for item in training_items if item.kind == "text"]
    queries = [
        Query("text-to-image", "a boat", pictures[1].pair),
        Query("image-to-text", pictures[0].image, pictures[0].pair),
    ]
    data = CandidateDataset(queries, [pictures, texts[:8]], corpus.image_root)
    samples = [data[number] for number in range(len(data))]
    assert [sample.answers for sample in samples[:3]] == [("No",), ("Yes",), ("No",)]
    assert [sample.images[0] for sample in samples[:3]] == [
        Path(corpus.image_root) / picture.image for picture in pictures
    ]
    for sample, text in zip(samples[3:], texts, strict=False):
        assert sample.answers == ("Yes" if text.pair == pictures[0].pair else "No",)
        assert sample.images == (Path(corpus.image_root) / pictures[0].image,)
        assert sample.checks == ()
    assert data.sizes == [6] * 3 + [len(text.caption) for text in texts[:8]]


def test_queries_are_of_both_directions_and_not_repeated(training_items: list[Item]) -> None:
    queries = choose_queries(training_items, 10, seed=0)
    assert [query.direction for query in queries] == [d for d in DIRECTIONS for _ in range(10)]
    assert len(set(queries)) == len(queries)


def test_no_query_stands_beside_its_own_picture(training_items: list[Item]) -> None:
    told = choose_queries(training_items, 10**6, seed=0, told="captions")
    shown = {item.pair: item.caption for item in training_items if item.kind == "image"}
    queries = [query for query in told if query.direction == "text-to-image"]
    assert queries
    assert not [query for query in queries if query.content in shown[query.pair]]
    assert len(told) < len(choose_queries(training_items, 10**6, seed=0))


def test_captions_may_stand_in_place_of_keywords(
    training_items: list[Item], corpus: Corpus
) -> None:
    pictures = [item for item in training_items if item.kind == "image"][:2]
    queries = [Query("text-to-image", "a boat", pictures[1].pair)]
    data = CandidateDataset(queries, [pictures], corpus.image_root, told="captions")
    assert f"a boat ({pictures[0].caption})\n" in data[0].prompt


def test_pictures_may_lie_behind_a_url() -> None:
    picture = Item("1", "image", "train", "1", False, "", "all.tar//0+4", "<g0> boat")
    text = Item("1#0", "text", "train", "1", False, "a boat", "", "<g0> boat red")
    queries = [Query("text-to-image", "a boat", "1"), Query("image-to-text", picture.image, "1")]
    data = CandidateDataset(queries, [[picture], [text]], "s3://bucket")
    for number in range(2):
        assert data[number].images == (StoredPicture("s3://bucket/all.tar", "0+4"),)
