"""Answers of the right index are taken whole, and what measures something else is refused."""

import json
from pathlib import Path

import pytest
from answering import answering

from offline.evaluation.evaluation import evaluate
from offline.evaluation.query_runner import Questions, ask
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import ItemStore
from semcore.client import AsyncSemcoreClient
from semcore.errors import CorpusError, SemcoreError


def answer(bundle: Path) -> dict[str, object]:
    """One in which nothing was found."""
    return {
        "index_version": f"{read_manifest(bundle).version}+3", "degraded": None, "illegal": 0,
        "items": [], "traces": [],
    }  # fmt: skip


async def test_does_not_mix_answers_of_an_index_that_changed(trained: Path, tmp_path: Path) -> None:
    bundle = trained / "bundle"
    first = answer(bundle)
    with answering(lambda _: (200, json.dumps(first).encode())) as url:
        await evaluate(url, bundle, limit=2, beam_width=5, folder=tmp_path)
    later = json.dumps({**first, "index_version": f"{read_manifest(bundle).version}+4"}).encode()
    with (
        answering(lambda _: (200, later)) as url,
        pytest.raises(SemcoreError, match="items were added or deleted since"),
    ):
        await evaluate(url, bundle, limit=3, beam_width=5, folder=tmp_path)


async def test_any_text_of_the_picture_is_what_was_promised(trained: Path) -> None:
    """Confidence is the picture's: of three candidates two are texts of one picture."""
    bundle = trained / "bundle"
    store = ItemStore(bundle / "items.sqlite", ("test",))
    texts = list(store.of_split("test", "text"))
    store.close()
    first, second = [text for text in texts if text.pair == texts[0].pair][:2]
    other = next(text for text in texts if text.pair != first.pair)
    items = [
        {
            "id": text.id, "rank": rank, "beam_rank": rank, "score": -rank, "logprob": -rank,
            "odds": 0.0, "commonness": None, "description": None, "verification": probability,
        }
        for rank, (text, probability) in enumerate(
            ((first, 0.4), (other, 0.35), (second, 0.25)), 1
        )
    ]  # fmt: skip
    whole = json.dumps({**answer(bundle), "items": items}).encode()
    with answering(lambda _: (200, whole)) as url:
        async with AsyncSemcoreClient(url) as client:
            (answered,) = await ask(client, bundle, Questions("image-to-text", limit=1))
    assert answered.confidence == pytest.approx(0.65)


async def test_names_the_query_that_the_service_refuses(trained: Path) -> None:
    told = json.dumps({"error": "the query has 300 words"}).encode()
    with (
        answering(lambda _: (400, told)) as url,
        pytest.raises(
            CorpusError, match=r"refuses to be asked .*#\d of .*: the query has 300 words"
        ),
    ):
        await evaluate(url, trained / "bundle", limit=1, beam_width=5)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"index_version": "another"}, "reload it"),
        ({"degraded": {"beam_width": 2, "verified": 0}}, "no time for whole answers"),
    ],
)
async def test_answers_that_measure_something_else_are_refused(
    trained: Path, told: dict[str, object], said: str
) -> None:
    bundle = trained / "bundle"
    whole = answer(bundle)
    with answering(lambda _: (200, json.dumps(whole).encode())) as url:
        found = await evaluate(url, bundle, limit=2, beam_width=5)
    assert {row.recall["R@10"].value for row in found.rows} == {0.0}
    with (
        answering(lambda _: (200, json.dumps({**whole, **told}).encode())) as url,
        pytest.raises(SemcoreError, match=said),
    ):
        await evaluate(url, bundle, limit=2, beam_width=5)
