"""How much of everything a stage learns from, and that a batch is of one kind."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from offline.corpus.corpus import Corpus
from offline.stored_items import indexed_items
from offline.training.candidates import as_query, write_candidates
from offline.training.data_mix import Lesson, describing, spelling, verifying
from offline.training.pairs import Sample
from offline.training.presets import TrainSettings
from semcore.bundle.item import Item
from semcore.model.prompt import ANSWERS, LETTERS

SETTINGS = TrainSettings(batch_size=4, image_repeats=2)


def kind(sample: Sample) -> str:
    if sample.is_prose:
        return "description"
    if sample.answers[0] in ANSWERS:
        return "verdict"
    if sample.answers[0] in tuple(LETTERS):
        return "list"
    return "picture" if sample.images else "text"


def drawn(lesson: Lesson) -> Counter[str]:
    """Samples of an epoch by kind; each batch is of one."""
    kinds = [kind(lesson.data[index]) for index in lesson.sampler]
    assert len(kinds) == len(lesson.sampler)
    size = SETTINGS.batch_size
    assert all(len({*kinds[at : at + size]}) == 1 for at in range(0, len(kinds), size))
    return Counter(kinds)


def whole(count: float) -> int:
    """Of so many samples those that fill batches."""
    return int(count) // SETTINGS.batch_size * SETTINGS.batch_size


def test_stage_1_has_all_texts_and_pictures(
    training_items: list[Item], corpus: Corpus, trained: Path
) -> None:
    items = Counter(item.kind for item in training_items)
    lesson = spelling(training_items, corpus.image_root, SETTINGS, trained / "bundle")
    known = {"text": whole(items["text"]), "picture": whole(2 * items["image"])}
    assert drawn(lesson) == known
    rehearsing = replace(SETTINGS, describe_rehearsal=0.5)
    lesson = spelling(training_items, corpus.image_root, rehearsing, trained / "bundle")
    assert drawn(lesson) == known | {"description": whole(items["image"] / 2)}
    checking = replace(SETTINGS, check_rehearsal=0.25)
    lesson = spelling(training_items, corpus.image_root, checking, trained / "bundle")
    assert drawn(lesson) == known | {"verdict": whole(items["text"] / 4)}


def test_items_learned_by_heart_make_an_epoch_no_longer(
    training_items: list[Item], corpus: Corpus, trained: Path
) -> None:
    plain = spelling(training_items, corpus.image_root, SETTINGS, trained / "bundle")
    settings = replace(SETTINGS, indexed=1.0)
    lesson = spelling(training_items, corpus.image_root, settings, trained / "bundle")
    assert len(plain.sampler) - 3 * SETTINGS.batch_size < len(lesson.sampler) <= len(plain.sampler)
    more = settings.index_repeats * len(indexed_items(trained / "bundle", 1.0, 0))
    assert len(lesson.data) == len(plain.data) + more  # type: ignore[arg-type]


def test_descriptions_are_of_pictures(training_items: list[Item], corpus: Corpus) -> None:
    pictures = sum(item.kind == "image" for item in training_items)
    lesson = describing(training_items, corpus.image_root, SETTINGS)
    assert drawn(lesson) == {"description": whole(pictures)}


@pytest.mark.parametrize("rehearsal", [0.5, 1.0])
def test_stage_2_rehearses_stage_1(
    training_items: list[Item], corpus: Corpus, trained: Path, tmp_path: Path, rehearsal: float
) -> None:
    pictures = [item for item in training_items if item.kind == "image"][:8]
    texts = [item for item in training_items if item.kind == "text"][:10]
    queries = [as_query(item) for item in pictures]
    write_candidates(tmp_path / "sets", queries, len(pictures) * [texts])
    settings = replace(SETTINGS, gsv_rehearsal=rehearsal)
    lesson = verifying(
        tmp_path / "sets", training_items, training_items, corpus.image_root, settings,
        trained / "bundle",
    )  # fmt: skip
    found = drawn(lesson)
    candidates = len(pictures) * len(texts)
    assert found["verdict"] == candidates
    rest = found["text"] + found["picture"]
    assert candidates * rehearsal - 2 * SETTINGS.batch_size < rest <= candidates * rehearsal


def test_stage_2_may_learn_from_lists(
    training_items: list[Item], corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    pictures = [item for item in training_items if item.kind == "image"][:8]
    texts = [item for item in training_items if item.kind == "text"][:12]
    queries = [as_query(item) for item in [*texts[:4], *pictures]]
    write_candidates(tmp_path / "sets", queries, [pictures] * 4 + [texts] * 8)
    settings = replace(SETTINGS, gsv="listwise").stage_2
    lesson = verifying(
        tmp_path / "sets", training_items, training_items, corpus.image_root, settings,
        trained / "bundle",
    )  # fmt: skip
    found = drawn(lesson)
    assert found["list"] == len(queries)
    candidates = 4 * 8 + 8 * 10
    rest = found["text"] + found["picture"]
    assert candidates - 2 * SETTINGS.batch_size < rest <= candidates


def test_all_processes_have_a_batch_of_one_kind(
    training_items: list[Item],
    corpus: Corpus,
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    lesson = spelling(training_items, corpus.image_root, SETTINGS, trained / "bundle")
    kinds = [kind(lesson.data[index]) for index in lesson.sampler]
    step = 3 * SETTINGS.batch_size
    assert len(kinds) % step == 0
    assert all(len({*kinds[at : at + step]}) == 1 for at in range(0, len(kinds), step))
    assert len({*kinds}) == 2
