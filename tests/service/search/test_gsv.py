"""Verification judges each candidate and weighs that with what the beams found."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from manifests import copied
from PIL import Image

from semcore.bundle.calibration import Calibration
from semcore.identifiers.identifier import Identifier
from semcore.model.prompt import LETTERS, description_prompt, list_prompt
from semcore.model.training_record import LearnedGsv
from service.engine.protocol import Picture, Prompt
from service.errors import InvalidQueryError
from service.index.index import Index
from service.search.commonness import Commonness
from service.search.decoder import Decoder
from service.search.gsv import Verdict, verify
from service.telemetry.stopwatch import Stopwatch

WEIGHTS = Calibration(prior=0.5, evidence=1.0)


class Known(Commonness):
    """Each word of a text costs three nats."""

    def __init__(self) -> None:
        pass

    async def of_texts(self, texts: Sequence[str]) -> list[float]:
        return [-3.0 * len(text.split()) for text in texts]


KNOWN = Known()
SEEN = Decoder()


class Judging:
    """An engine that remembers the prompts and says yes to the second candidate only."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.pictures: list[Picture] = []

    def prompt(self, text: str, pictures: list[Picture]) -> Prompt:
        self.texts.append(text)
        self.pictures += pictures
        return Prompt(())

    async def judge(self, prompts: Sequence[Prompt]) -> list[float]:
        return [2.0 if place == 1 else 0.0 for place in range(len(prompts))]

    async def choose(self, prompt: Prompt, count: int) -> list[float]:
        return [math.log(0.1)] * (count - 1) + [math.log(0.3)]

    def say(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]

    async def weigh_each(
        self, _prompts: Sequence[Prompt], spelled: Sequence[Sequence[int]]
    ) -> list[float]:
        return [-2.0 * len(tokens) for tokens in spelled]


async def too_long(prompts: Sequence[Prompt]) -> list[float]:
    raise InvalidQueryError("too long")


async def test_judges_pictures_by_a_text(trained: Path) -> None:
    index, engine = Index(trained / "bundle"), Judging()
    items = list(index.bundle.store.of_split("test", "image"))[:3]
    found = await verify(
        engine,
        index.snapshot,
        "two boats",
        items,
        [-1.0, -2.0, -3.0],
        WEIGHTS,
        Stopwatch(),
        KNOWN,
        SEEN,
    )
    weights = [math.exp(-0.5), math.exp(-1 + 2), math.exp(-1.5)]
    assert found is not None
    assert [one.probability for one in found] == pytest.approx([w / sum(weights) for w in weights])
    assert [one.odds for one in found] == [0.0, 2.0, 0.0]
    assert [picture.key.split(":")[1] for picture in engine.pictures] == [i.id for i in items]
    assert all("two boats" in text for text in engine.texts)
    index.close()


async def test_judges_texts_by_a_picture(trained: Path) -> None:
    index, engine = Index(trained / "bundle"), Judging()
    items = list(index.bundle.store.of_split("test", "text"))[:3]
    query = Picture(Image.new("RGB", (8, 8)), "query")
    assert await verify(
        engine, index.snapshot, query, items, [-1.0] * 3, WEIGHTS, Stopwatch(), KNOWN, SEEN
    )
    assert engine.pictures == [query] * 3
    for item, text in zip(items, engine.texts, strict=True):
        assert item.caption in text
    index.close()


@pytest.fixture
def choosing(trained: Path, tmp_path: Path) -> Iterator[Index]:
    """The index of a model that is said to choose from lists."""
    index = Index(copied(trained / "bundle", tmp_path / "b", gsv=LearnedGsv(form="listwise")))
    yield index
    index.close()


async def test_chooses_from_a_list_of_pictures(choosing: Index) -> None:
    engine = Judging()
    items = list(choosing.bundle.store.of_split("test", "image"))[:3]
    found = await verify(
        engine, choosing.snapshot, "two boats", items, [-1.0] * 3, WEIGHTS, Stopwatch(), KNOWN, SEEN
    )
    assert found is not None
    (text,) = engine.texts
    told = [Identifier.parse(item.identifier).lexical_id for item in items]
    assert text == list_prompt(["two boats"] * 3, told, one_picture=False)
    assert [picture.key.split(":")[1] for picture in engine.pictures] == [i.id for i in items]
    # Of the letters alone 0.2, 0.2 and 0.6.
    assert [one.odds for one in found] == pytest.approx(
        [math.log(0.2 / 0.8)] * 2 + [math.log(0.6 / 0.4)]
    )
    weights = [0.25, 0.25, 1.5]
    assert [one.probability for one in found] == pytest.approx([w / 2 for w in weights])


async def test_chooses_from_a_list_of_texts(choosing: Index) -> None:
    engine = Judging()
    items = list(choosing.bundle.store.of_split("test", "text"))[:12]
    query = Picture(Image.new("RGB", (8, 8)), "query")
    found = await verify(
        engine, choosing.snapshot, query, items, [-1.0] * 12, WEIGHTS, Stopwatch(), KNOWN, SEEN
    )
    assert found is not None
    assert len(found) == len(LETTERS)
    assert engine.pictures == [query]
    (text,) = engine.texts
    assert all(f"\n{item.caption} (" in text for item in items[:10])
    assert items[10].caption not in text


async def test_a_list_that_is_too_long_loses_its_end(choosing: Index) -> None:
    engine = Judging()
    asked: list[int] = []

    async def short(_prompt: Prompt, count: int) -> list[float]:
        asked.append(count)
        if count > longest:
            raise InvalidQueryError("too long")
        return [0.0] * count

    engine.choose = short  # type: ignore[method-assign]
    items = list(choosing.bundle.store.of_split("test", "image"))[:9]

    async def verdicts() -> list[Verdict] | None:
        return await verify(
            engine, choosing.snapshot, "a boat", items, [0.0] * 9, WEIGHTS, Stopwatch(), KNOWN,
            SEEN, describe=True,
        )  # fmt: skip

    longest = 4
    found = await verdicts()
    assert found is not None
    assert asked == [9, 4]
    assert [one.probability for one in found] == pytest.approx([0.25] * 4)
    assert all(one.description is not None for one in found)
    longest = 1
    assert await verdicts() is None


async def test_tells_captions_where_the_model_has_learned_from_them(
    trained: Path, tmp_path: Path
) -> None:
    learned = LearnedGsv(form="pointwise", told="captions")
    index = Index(copied(trained / "bundle", tmp_path / "b", gsv=learned))
    engine, items = Judging(), list(index.bundle.store.of_split("test", "image"))[:3]
    await verify(
        engine, index.snapshot, "a boat", items, [-1.0] * 3, WEIGHTS, Stopwatch(), KNOWN, SEEN
    )
    for item, text in zip(items, engine.texts, strict=True):
        assert f"a boat ({item.caption})" in text
    index.close()


async def test_needs_two_candidates_with_their_pictures(trained: Path, tmp_path: Path) -> None:
    async def verdicts(engine: Judging, index: Index, count: int) -> list[Verdict] | None:
        items = list(index.bundle.store.of_split("test", "image"))[:count]
        scores = [-1.0] * count
        return await verify(
            engine, index.snapshot, "a boat", items, scores, WEIGHTS, Stopwatch(), KNOWN, Decoder()
        )

    index, bare = Index(trained / "bundle"), Index(trained / "bundle", image_root=tmp_path)
    short = Judging()
    short.judge = too_long  # type: ignore[method-assign]
    assert await verdicts(Judging(), index, 2) is not None
    assert await verdicts(Judging(), index, 1) is None
    assert await verdicts(short, index, 3) is None
    assert await verdicts(Judging(), bare, 3) is None
    (item,) = list(index.bundle.store.of_split("test", "image"))[:1]
    damaged = tmp_path / item.image
    damaged.parent.mkdir(parents=True)
    source = index.snapshot.picture_source(item)
    assert isinstance(source, Path)
    whole = bytearray(source.read_bytes())
    damaged.write_bytes(whole[:20] + b"\xff" * 12 + whole[32:])
    assert await verdicts(Judging(), bare, 3) is None
    index.close()
    bare.close()


async def test_weighs_what_the_picture_adds_to_a_text(trained: Path) -> None:
    index, engine = Index(trained / "bundle"), Judging()
    items = list(index.bundle.store.of_split("test", "text"))[:3]
    query = Picture(Image.new("RGB", (8, 8)), "key")
    told = [float(len(item.caption.split())) for item in items]
    weights = Calibration(prior=0.5, evidence=0.0, description=0.25)

    async def verdicts(weights: Calibration, *, describe: bool) -> list[Verdict]:
        found = await verify(
            engine, index.snapshot, query, items, [0.0, 0.0, 1.0], weights, Stopwatch(), KNOWN,
            SEEN, describe=describe,
        )  # fmt: skip
        assert found is not None
        return found

    found = await verdicts(weights, describe=False)
    assert engine.texts == [description_prompt()] * 3  # nothing else was asked
    assert [one.description for one in found] == pytest.approx(told)
    assert [one.odds for one in found] == [None] * 3
    scores = [0.25 * one + prior for one, prior in zip(told, (0.0, 0.0, 0.5), strict=True)]
    total = sum(map(math.exp, scores))
    assert [one.probability for one in found] == pytest.approx(
        [math.exp(s) / total for s in scores]
    )
    both = await verdicts(WEIGHTS, describe=True)
    assert [one.odds for one in both] == [0.0, 2.0, 0.0]
    assert [one.description for one in both] == pytest.approx(told)
    index.close()
