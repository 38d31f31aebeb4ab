"""Retrievers find by what they are named for, and only where they can be asked."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bundles import BLANK, bundle_of
from PIL import Image, ImageColor

from offline.evaluation.guided_weights import GUIDE_ALONE, Guided
from offline.evaluation.query_runner import Answered, Questions, chosen_queries
from offline.reproduction import retrievers
from offline.reproduction.answers import read_answers
from offline.reproduction.re_ranker import descriptions
from offline.reproduction.retrievers import RETRIEVERS, ask_retriever, graph_search, word_search
from semcore.bundle.bundle import ITEMS, GuideRecord, staged
from semcore.bundle.item import Item, write_items
from semcore.errors import BundleError, SemcoreError
from semcore.extras import MissingExtraError
from semcore.guide.vectors import CAPTIONS, VECTORS, combined, quantised, unit
from semcore.identifiers.encoder import Vectors
from semcore.kind import DIRECTIONS

COLOURS = ("red", "green", "blue", "white", "black", "yellow", "purple", "orange")
LOOKS = {"red": "green", "green": "red"}
"""Pictures that show another colour than their captions say."""
WEIGHT = 0.6
ASKED_BY_TEXTS = {"caption-search", "bm25", "captions-and-looks"}


class Colours:
    """A guide of one dimension a colour."""

    fingerprint, sees, picture_weight = "colours", True, WEIGHT

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return unit(np.array([[colour in text for colour in COLOURS] for text in texts]))

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        seen = [image.convert("RGB").getpixel((0, 0)) for image in images]
        shades = [ImageColor.getrgb(colour) for colour in COLOURS]
        return unit(np.array([[shade == one for shade in shades] for one in seen]))


def items() -> list[Item]:
    """In order of id, those of the splits one after the other."""
    found = []
    for number, colour in enumerate(COLOURS):
        for split in ("test", "train", "val"):
            pair, shown = f"{number} {split}", f"{LOOKS.get(colour, colour)}.png"
            identifier = f"<g{number}> {colour}"
            said = f"a {colour} picture"
            found.append(Item(pair, "image", split, pair, False, said, shown, identifier))
            for text, caption in enumerate((said, f"{colour} is what one sees")):
                name = f"{pair}#{text}"
                found.append(Item(name, "text", split, pair, text == 1, caption, "", identifier))
    return sorted(found, key=lambda item: item.id)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("retrievers")
    for colour in COLOURS:
        Image.new("RGB", (40, 40), colour).save(folder / f"{colour}.png")
    guide = Colours()
    captions = guide.encode_texts([item.caption for item in items()])
    looks = np.zeros_like(captions)
    for row, item in enumerate(items()):
        if item.image:
            looks[row] = guide.encode_images([Image.open(folder / item.image)])[0]
    record = GuideRecord(encoder="", fingerprint=guide.fingerprint, picture_weight=WEIGHT)
    corpus = BLANK.corpus.model_copy(update={"image_root": str(folder)})
    path = folder / "bundle"
    with staged(path, BLANK.model_copy(update={"corpus": corpus, "guide": record})) as stage:
        write_items(stage / ITEMS, items(), BLANK.settings.gallery)
        np.save(stage / CAPTIONS, quantised(captions))
        np.save(stage / VECTORS, quantised(combined(captions, looks, WEIGHT)))
    return path


@pytest.fixture(autouse=True)
def guide_of_colours(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "trained" not in request.fixturenames:
        monkeypatch.setattr(retrievers, "open_guide", lambda *_: Colours())
        encoder = SimpleNamespace(encode=Colours().encode_texts)
        monkeypatch.setattr(retrievers, "loaded_encoder", lambda _: encoder)


def ask(name: str, bundle: Path, folder: Path) -> dict[str, dict[str, Answered]]:
    """What was answered in each direction, by the colour of the query."""
    folder.mkdir(exist_ok=True)
    ask_retriever(name, bundle, bundle.with_name("model"), folder, None, folder / "features")
    return {
        direction: {COLOURS[int(one.query[0])]: one for one in found}
        for direction, found in read_answers(folder).items()
    }


def test_captions_are_found_by_what_they_say(bundle: Path, tmp_path: Path) -> None:
    found = ask("caption-search", bundle, tmp_path)
    assert set(found["text-to-image"]) == set(COLOURS)
    for one in found["text-to-image"].values():
        assert (one.beam, one.verified) == (1, 1)
        assert one.lead == pytest.approx(1.0)
    assert found["image-to-text"] == {}


def test_captions_are_found_by_their_words(bundle: Path, tmp_path: Path) -> None:
    found = ask("bm25", bundle, tmp_path)
    assert {one.beam for one in found["text-to-image"].values()} == {1}
    assert len(found["text-to-image"]) == len(COLOURS)
    assert found["image-to-text"] == {}


def test_looks_are_all_that_counts_where_they_are_alone(bundle: Path, tmp_path: Path) -> None:
    found = ask("looks", bundle, tmp_path)
    for direction in DIRECTIONS:
        assert set(found[direction]) == set(COLOURS)
        for colour, one in found[direction].items():
            assert (one.beam == 1) == (colour not in LOOKS)


@pytest.mark.parametrize("name", ["captions-and-looks", "hnsw"])
def test_captions_and_looks_are_found_together(bundle: Path, tmp_path: Path, name: str) -> None:
    found = ask(name, bundle, tmp_path)
    between = (1 - WEIGHT) / (1 + WEIGHT**2) ** 0.5
    for colour, one in found["text-to-image"].items():
        assert one.beam == 1
        assert one.lead == pytest.approx(between if colour in LOOKS else 1.0, abs=0.01)
    if name == "hnsw":
        by_look = ask("looks", bundle, tmp_path / "looks")
        assert {colour: one.beam == 1 for colour, one in found["image-to-text"].items()} == {
            colour: one.beam == 1 for colour, one in by_look["image-to-text"].items()
        }
    else:
        assert found["image-to-text"] == {}


@pytest.mark.parametrize(("odds", "is_changed"), [(6.5, False), (7.3, True)])
def test_a_cosine_counts_twenty_times_as_much_as_log_odds(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odds: float, is_changed: bool
) -> None:
    """Between captions and looks that say different things lie 20 · 0.34 = 6.9."""

    def second(_: object, sets: Sequence[Sequence[Item]], __: Path) -> list[Vectors]:
        return [np.array([0.0, odds, *[0.0] * (len(i) - 2)], dtype=np.float32) for i in sets]

    monkeypatch.setattr(retrievers, "_odds", second)
    found = ask("hnsw-verified", bundle, tmp_path)["text-to-image"]
    for colour, one in found.items():
        moved = is_changed and colour in LOOKS
        assert (one.beam, one.verified, one.first_changed) == (1, 2 if moved else 1, moved)


@pytest.mark.parametrize(("told", "is_changed"), [(6.5, False), (7.3, True)])
def test_descriptions_count_as_much_as_validation_queries_say(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: float, is_changed: bool
) -> None:
    """As above, with weights that were fitted."""
    fitted: list[Sequence[Answered]] = []

    def fit_guided(answers: Sequence[Answered]) -> Guided:
        fitted.append(answers)
        return Guided(replace(GUIDE_ALONE, cosine=20.0, description=1.0))

    def second(judge: object, _: object, sets: Sequence[Sequence[Item]], __: Path) -> list[Vectors]:
        assert judge is descriptions
        return [np.array([0.0, told, *[0.0] * (len(i) - 2)], dtype=np.float32) for i in sets]

    monkeypatch.setattr(retrievers, "fit_guided", fit_guided)
    monkeypatch.setattr(retrievers, "_judged", second)
    found = ask("hnsw-described", bundle, tmp_path)
    for colour, one in found["text-to-image"].items():
        moved = is_changed and colour in LOOKS
        assert (one.beam, one.verified, one.first_changed) == (1, 2 if moved else 1, moved)
        assert one.items == []
    assert set(found["image-to-text"]) == set(COLOURS)
    assert len(fitted) == len(DIRECTIONS)
    for answers in fitted:
        assert {one.query.partition("#")[0] for one in answers} == {
            f"{number} val" for number in range(len(COLOURS))
        }
        for one in answers:
            assert [item.is_judged for item in one.items[:10]] == [True] * min(10, len(one.items))
            assert not any(item.is_judged for item in one.items[10:])


def test_only_ten_candidates_are_judged(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[set[int]] = []

    def unmoved(_: object, sets: Sequence[Sequence[Item]], __: Path) -> list[Vectors]:
        counts.append({len(items) for items in sets})
        return [np.zeros(len(items), dtype=np.float32) for items in sets]

    monkeypatch.setattr(retrievers, "_odds", unmoved)
    ask("hnsw-verified", bundle, tmp_path)
    assert counts == [{len(COLOURS)}, {10}]  # of eight pictures, and of sixteen texts


def test_a_trained_model_is_asked_in_each_direction(
    trained: Path, guided: Path, tmp_path: Path
) -> None:
    bundle, found = guided, {}
    for name in RETRIEVERS:
        folder = tmp_path / name
        folder.mkdir()
        ask_retriever(name, bundle, trained / "model", folder, 5, tmp_path / "features")
        found[name] = read_answers(folder)
        for direction in DIRECTIONS:
            asked = [query.id for query in chosen_queries(bundle, Questions(direction, limit=5))]
            is_asked = direction == "text-to-image" or name not in ASKED_BY_TEXTS
            assert [one.query for one in found[name][direction]] == (asked if is_asked else [])
    for direction in DIRECTIONS:
        for before, after in zip(
            found["hnsw"][direction], found["hnsw-verified"][direction], strict=True
        ):
            assert (after.beam, after.lead) == (before.beam, before.lead)
    leads = [
        [one.lead for one in found[name]["text-to-image"]]
        for name in ("captions-and-looks", "hnsw")
    ]
    assert leads[0] == pytest.approx(leads[1], abs=1e-4)
    # The demo's captions say what its pictures show.
    assert all(one.beam is not None for one in found["caption-search"]["text-to-image"])


def test_what_cannot_be_asked_is_refused_by_name(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(SemcoreError, match="'dual' is no retriever; there are caption-search, bm2"):
        ask("dual", bundle, tmp_path)
    bare = bundle_of(items(), tmp_path / "bare", bundle.parent)
    with pytest.raises(BundleError, match="bare has no guide's vectors"):
        ask("looks", bare, tmp_path)


def test_words_are_found_where_they_are_shared() -> None:
    captions = ["a red boat", "two black cats in the snow", "a red house"]
    queries = ["red boats and a boat", "Cats!", "a zebra", "in the", "red"]
    found = word_search(queries, captions, top_k=2)
    assert [places.tolist() for places, _ in found] == [[0, 2], [1], [], [], [0, 2]]
    for _, scores in found:
        assert scores.dtype == np.float32
        assert (scores > 0).all()
        assert (np.diff(scores) <= 0).all()
    # A rare word tells more than a common one, of captions of one length.
    rare = word_search(["red boat"], ["red house", "red tree", "blue boat"], top_k=3)
    assert rare[0][0].tolist() == [2, 0, 1]


def test_a_graph_leads_to_the_nearest() -> None:
    gallery = unit(np.random.default_rng(0).normal(size=(300, 16)))
    found = graph_search(gallery[:50], gallery, top_k=20)
    assert [int(places[0]) for places, _ in found] == list(range(50))
    exact = np.sort(gallery[:50] @ gallery.T, axis=1)[:, :-21:-1]
    near = np.stack([likeness for _, likeness in found])
    assert near.dtype == np.float32
    assert np.isclose(near, exact, atol=1e-5).mean() > 0.9
    few = graph_search(gallery[:2], gallery[:4], top_k=20)
    assert [sorted(places.tolist()) for places, _ in few] == [[0, 1, 2, 3]] * 2


@pytest.mark.parametrize("package", ["bm25s", "faiss"])
def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"semcore\[rivals\]"):
        if package == "bm25s":
            word_search(["a boat"], ["a boat"], top_k=1)
        else:
            graph_search(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), top_k=1)
