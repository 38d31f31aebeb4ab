"""A list holds a right candidate, in any place as often, and asks for its letter."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from offline.corpus.corpus import Corpus
from offline.training.candidates import Query
from offline.training.choice import ChoiceDataset
from offline.training.pairs import Sample
from offline.training.verification import said_words
from semcore.bundle.item import Item
from semcore.model.prompt import IMAGE, LETTERS


@pytest.fixture
def pictures(training_items: list[Item]) -> list[Item]:
    return [item for item in training_items if item.kind == "image"]


@pytest.fixture
def texts(training_items: list[Item]) -> list[Item]:
    return [item for item in training_items if item.kind == "text"]


def by_text(pictures: list[Item], number: int) -> Query:
    return Query("text-to-image", "a boat", pictures[number].pair)


def answered(sample: Sample) -> int:
    (answer,) = sample.answers
    return LETTERS.index(answer)


def test_the_letter_is_that_of_the_right_picture(pictures: list[Item], corpus: Corpus) -> None:
    data = ChoiceDataset([by_text(pictures, 2)], [pictures[:10]], pictures, corpus.image_root, 0)
    right = Path(corpus.image_root) / pictures[2].image
    places = Counter[int]()
    for epoch in range(60):
        data.epoch = epoch
        sample = data[0]
        assert sample.prompt.count(IMAGE) == sample.prompt.count("a boat (") == 10
        assert len(set(sample.images)) == 10
        assert sample.images[answered(sample)] == right
        places[answered(sample)] += 1
        assert sample.checks == ()
    assert len(places) == 10
    assert places.most_common(1)[0][1] < 20
    assert data.candidates == 10


def test_a_right_candidate_that_was_not_found_takes_a_place(
    pictures: list[Item], corpus: Corpus
) -> None:
    data = ChoiceDataset([by_text(pictures, 20)], [pictures[:10]], pictures, corpus.image_root, 0)
    sample = data[0]
    assert len(sample.images) == 10
    assert sample.images[answered(sample)] == Path(corpus.image_root) / pictures[20].image


def test_a_query_without_a_right_or_a_wrong_candidate_is_left_out(
    pictures: list[Item], corpus: Corpus
) -> None:
    queries = [by_text(pictures, 20), by_text(pictures, 0)]
    data = ChoiceDataset(queries, [pictures[:3], pictures[:1]], pictures[:3], corpus.image_root, 0)
    assert len(data) == 0
    assert data.sizes == ([], [])


def test_a_picture_is_shown_once_and_any_right_text_may_be_the_answer(
    pictures: list[Item], texts: list[Item], corpus: Corpus
) -> None:
    query = Query("image-to-text", pictures[0].image, pictures[0].pair)
    own = [text for text in texts if text.pair == query.pair][:2]
    others = [text for text in texts if text.pair != query.pair][:14]
    data = ChoiceDataset([query], [[*others, *own]], texts, corpus.image_root, 0)
    right = {text.caption for text in own}
    chosen = set()
    for epoch in range(20):
        data.epoch = epoch
        sample = data[0]
        assert sample.images == (Path(corpus.image_root) / query.content,)
        shown = sample.prompt.split("\n")[2 : 2 + 2 * len(LETTERS) : 2]
        assert len(shown) == 10
        caption = shown[answered(sample)].rpartition(" (")[0]
        assert caption in right
        chosen.add(caption)
    assert chosen == right
    assert data.sizes == ([], [sum(len(text.caption) for text in (*own, *others))])


def test_asks_at_words_and_letters(pictures: list[Item], texts: list[Item], corpus: Corpus) -> None:
    said = said_words([*pictures, *texts])
    query = replace(by_text(pictures, 1), content=texts[5].caption)
    for one in (query, Query("image-to-text", pictures[1].image, pictures[1].pair)):
        shown = pictures[:3] if one is query else texts[:12]
        data = ChoiceDataset([one], [shown], [*pictures, *texts], corpus.image_root, 0, said=said)
        sample = data[0]
        letters = [
            (sample.prompt[place - 1], true)
            for place, true in sample.checks
            if sample.prompt[place - 2] == "\n"
        ]
        assert [letter for letter, _ in letters] == list(LETTERS[: len(letters)])
        assert len(letters) == (3 if one is query else 10)
        assert (sample.answers[0], True) in letters
        words = [one for one in sample.checks if sample.prompt[one[0] - 2] != "\n"]
        assert all(not sample.prompt[place].isalnum() for place, _ in words)
        assert {true for _, true in words} == {True, False}


def test_captions_may_stand_in_place_of_keywords(pictures: list[Item], corpus: Corpus) -> None:
    query = by_text(pictures, 0)
    data = ChoiceDataset([query], [pictures[:3]], pictures, corpus.image_root, 0, told="captions")
    assert all(f"({picture.caption})" in data[0].prompt for picture in pictures[:3])
