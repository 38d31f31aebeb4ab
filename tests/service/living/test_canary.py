"""A canary query that is refused is left out; the bundle serves."""

import json
import logging
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from living import metadata

from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from semcore.bundle.bundle import read_manifest, staged
from semcore.model.prompt import TOLD_CHARACTERS
from service.beams.side import Side
from service.engine.protocol import Found, Prompt
from service.errors import InvalidQueryError
from service.retrieval import Retrieval
from service.schemas.answer import SearchOptions
from service.settings import Settings

LONG = " word" * 5000


class NarrowEngine(FakeEngine):
    """One whose model has room for so many bytes of a prompt."""

    room = TOLD_CHARACTERS + 500

    async def find(
        self,
        prompt: Prompt,
        side: Side,
        beam_width: int,
        *,
        constrained: bool,
        traced: bool = False,
    ) -> Found:
        if len(prompt.tokens) > self.room:
            raise InvalidQueryError(f"the query is too long: {len(prompt.tokens)} tokens")
        return await super().find(prompt, side, beam_width, constrained=constrained, traced=traced)

    async def judge(self, prompts: list[Prompt]) -> list[float]:  # type: ignore[override]
        if max(len(prompt.tokens) for prompt in prompts) > self.room:
            raise InvalidQueryError("the query is too long")
        return await super().judge(prompts)


class TinyEngine(NarrowEngine):
    room = 100


@pytest.fixture(scope="module")
def wordy(trained: Path, corpus: Corpus) -> Path:
    """A bundle of captions of five thousand words."""
    pictures = [
        replace(
            picture,
            captions=tuple(caption + LONG for caption in picture.captions),
            metadata=metadata(random.Random(number)),
        )
        for number, picture in enumerate(corpus.pictures[:12])
    ]
    path = trained / "wordy"
    build_bundle(
        Corpus("wordy", corpus.image_root, pictures, []),
        path,
        BuildSettings(),
        like=trained / "bundle",
    )
    bind_bundle(path, trained / "model")
    return path


async def test_long_captions_are_served_and_verified(wordy: Path, tmp_path: Path) -> None:
    settings = Settings(bundle=wordy, journal=tmp_path / "journal")
    retrieval = Retrieval(settings, NarrowEngine)
    await retrieval.start()
    try:
        recall = retrieval.lifecycle.status().current.canary
        assert recall is not None
        assert recall.keys() == {"text-to-image", "image-to-text"}
        options = SearchOptions(verify="always", beam_width=10)
        picture = next((wordy.parent.parent).rglob("*.png"), None) or next(
            Path(read_manifest(wordy).corpus.image_root).rglob("*.jpg")
        )
        query = picture.read_bytes()
        asked = retrieval.question("image-to-text", query, options)
        assert json.loads(await retrieval.search(asked, query))["verified"]
        await retrieval.lifecycle.reload(wordy)
    finally:
        await retrieval.stop()


async def test_an_older_bundle_with_long_canaries_is_served(wordy: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(wordy, older)
    manifest = read_manifest(older)
    canary = json.loads((older / "canary.json").read_text())
    for query in canary:
        if query["direction"] == "text-to-image":
            query["query"] += LONG
    with staged(older, manifest) as stage:
        for name in manifest.files:
            shutil.copy2(wordy / name, stage / name)
        (stage / "canary.json").write_text(json.dumps(canary))
    settings = Settings(bundle=older, journal=tmp_path / "journal", model=wordy.parent / "model")
    retrieval = Retrieval(settings, NarrowEngine)
    await retrieval.start()
    recall = retrieval.lifecycle.status().current.canary
    await retrieval.stop()
    assert recall is not None
    assert "text-to-image" in recall


async def test_where_all_are_refused_the_rest_serves(
    wordy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(bundle=wordy, journal=tmp_path / "journal")
    retrieval = Retrieval(settings, TinyEngine)
    with caplog.at_level(logging.WARNING, "semcore"):
        await retrieval.start()
    try:
        await retrieval.check_ready()
        recall = retrieval.lifecycle.status().current.canary
        assert recall is not None
        assert "text-to-image" not in recall
        assert "is left out" in caplog.text
        asked = retrieval.question("text-to-image", "a boat", SearchOptions())
        assert json.loads(await retrieval.search(asked, "a boat"))["items"]
    finally:
        await retrieval.stop()
