"""A change that cannot be shown is refused; one that came from elsewhere is set aside, and stops
nothing else."""

import json
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from living import a_text, running
from manifests import copied
from prometheus_client import REGISTRY
from searching import client_of

from offline.bundle.compaction import compact_bundle
from semcore.bundle.bundle import read_manifest
from semcore.clock import position_of
from semcore.journal.change import Change, Entry, ToldChange
from service.retrieval import Retrieval
from service.schemas.admin import NewItem
from service.settings import Settings

KOREAN = "한국 바다 사진"


def told(retrieval: Retrieval, item_id: str, identifier: str, number: int) -> ToldChange:
    """A change by another replica, whose identifier the model of this one may not know."""
    entry = Entry(
        id=item_id,
        kind="text",
        pair=item_id,
        captions=("a boat",),
        image="",
        metadata={},
        identifier=identifier,
        clusters=retrieval.lifecycle.current.bundle.manifest.clusters,
    )
    at = position_of(1, f"{number}-0")
    return ToldChange("another", number, at, at, Change(item_id, entry))


async def follow(retrieval: Retrieval, *changes: ToldChange) -> None:
    await retrieval.writer.follow(changes, changes[-1].arrival)


def with_normaliser(bundle: Path, to: Path, form: str) -> Path:
    """The bundle of a model whose tokenizer brings texts into a Unicode form, as Qwen's does."""
    model = read_manifest(bundle).model
    assert model is not None
    shutil.copytree(model.folder(bundle), to / "model")
    tokenizer = to / "model" / "tokenizer.json"
    described = json.loads(tokenizer.read_text())
    tokenizer.write_text(json.dumps({**described, "normalizer": {"type": form}}))
    return copied(bundle, to / "bundle", to / "model")


async def test_texts_have_one_spelling(few: Path, tmp_path: Path) -> None:
    """Whoever writes them: accents and syllables composed, or in parts."""
    composed, parts = (unicodedata.normalize(form, KOREAN) for form in ("NFC", "NFD"))
    assert composed != parts
    settings = Settings(bundle=few, journal=tmp_path / "journal", admin_key="k")
    async with client_of(settings, "k") as client:
        items: list[dict[str, Any]] = [
            {"id": name, "kind": "text", "captions": [text], "metadata": {"in": text}}
            for name, text in (("composed", composed), ("parts", parts))
        ]
        answer = await client.post("/admin/items", json={"items": items})
        assert answer.status_code == 200
        spelled = answer.json()["identifiers"]
        assert spelled["composed"] == spelled["parts"]
        for name in ("composed", "parts"):
            shown = (await client.get(f"/items/{name}")).json()
            assert (shown["text"], shown["metadata"]) == (composed, {"in": composed})
        answers = [
            await client.post("/search/text-to-image", json={"query": text, "verify": "never"})
            for text in (composed, parts)
        ]
        assert answers[1].json()["cached"]


async def test_identifiers_that_are_one_to_the_tokenizer_are_shared(
    few: Path, tmp_path: Path
) -> None:
    bundle = with_normaliser(few, tmp_path, "NFKC")
    own: dict[str, Any] = {"model": tmp_path / "model"}
    async with running(bundle, tmp_path / "journal", **own) as retrieval:
        names = {"plain": "<g1> fish", "ligature": "<g1> \ufb01sh"}
        changes = [told(retrieval, *one, n) for n, one in enumerate(names.items(), start=1)]
        await follow(retrieval, *changes)
        assert retrieval.lifecycle.current.set_aside == {}
        await retrieval.writer.add([a_text("other")])
        await retrieval.lifecycle.reload(None)
        compact_bundle(bundle, tmp_path / "journal", tmp_path / "compacted")
    async with running(tmp_path / "compacted", tmp_path / "another", **own) as retrieval:
        assert retrieval.lifecycle.current.snapshot.added == {}
        for item_id, identifier in names.items():
            found = await retrieval.item(item_id)
            assert found is not None
            assert found[0].identifier == identifier


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("<g999> boat", "no token <g999>"),
        (f"<g1> {'字' * 300}", "room for"),
        ("<g1>  boat", "is no identifier"),
    ],
)
async def test_one_bad_change_stops_nothing(
    few: Path, tmp_path: Path, identifier: str, reason: str
) -> None:
    bundle, journal = copied(few, tmp_path / "bundle"), tmp_path / "journal"
    async with running(bundle, journal, canary_margin=1.0) as retrieval:
        first = next(
            item for item in retrieval.lifecycle.current.bundle.store if item.kind == "text"
        )
        bad = [told(retrieval, "bad", identifier, 1), told(retrieval, first.id, identifier, 3)]
        await follow(retrieval, bad[0], told(retrieval, "good", "<g1> boat", 2), bad[1])
        assert await retrieval.item("good") is not None
        for item_id in ("bad", first.id):
            # What it was before is replaced all the same: it may have been deleted meanwhile.
            assert await retrieval.item(item_id) is None
        status = retrieval.lifecycle.status().current
        assert {one.id for one in status.set_aside} == {"bad", first.id}
        assert status.set_aside_count == 2
        assert all(reason in one.reason for one in status.set_aside)
        assert REGISTRY.get_sample_value("semcore_items_set_aside") == 2
        await retrieval.writer.add([a_text("later")])
        await retrieval.lifecycle.reload(None)
        manifest = compact_bundle(bundle, journal, bundle)
        assert set(manifest.set_aside) == {"bad", first.id}
        report = json.loads((bundle / "report.json").read_text())
        assert reason in report["set_aside"]["bad"]
        await retrieval.lifecycle.reload(None)
        # They are tried again with each bundle.
        assert set(retrieval.lifecycle.current.set_aside) == {"bad", first.id}
        await retrieval.writer.delete("bad")
        assert set(retrieval.lifecycle.current.set_aside) == {first.id}
        again = compact_bundle(bundle, journal, bundle)
        assert again.set_aside == (first.id,)
    async with running(bundle, journal) as retrieval:
        assert await retrieval.item("later") is not None
        assert set(retrieval.lifecycle.current.set_aside) == {first.id}


async def test_pictures_go_with_their_items(few: Path, tmp_path: Path) -> None:
    bundle, journal = copied(few, tmp_path / "bundle"), tmp_path / "journal"

    def a_picture(item_id: str, colour: int) -> dict[str, Any]:
        # One pixel of a colour, as a bitmap.
        header = "424d3a0000000000000036000000280000000100000001000000010018000000000004000000"
        content = bytes.fromhex(header) + bytes(16) + bytes([colour, 0, 0, 0])
        return {"id": item_id, "kind": "image", "captions": ["a boat"], "image": content}

    def items(*rows: dict[str, Any]) -> list[NewItem]:
        return [NewItem.model_construct(**row, pair=None, metadata={}) for row in rows]

    async with running(bundle, journal, canary_margin=1.0) as retrieval:
        pictures = retrieval._journal.pictures.path
        await retrieval.writer.add(items(*(a_picture(f"p{n}", n) for n in range(3))))
        await retrieval.writer.add(items(a_picture("p0", 9)))  # in place of the first
        await retrieval.writer.delete("p1")
        assert len(list(pictures.iterdir())) == 4
        with pytest.raises(Exception, match="no JPEG"):
            await retrieval.writer.add(
                items(a_picture("q", 77), {**a_picture("z", 78), "image": b"no picture"})
            )
        assert len(list(pictures.iterdir())) == 4
        for _ in range(2):
            compact_bundle(bundle, journal, bundle)
            await retrieval.lifecycle.reload(None)
        assert len(list(pictures.iterdir())) == 2
        for item_id in ("p0", "p2"):
            found = await retrieval.item(item_id)
            assert found is not None
            assert found[1] is not None
            await retrieval.writer.delete(item_id)
        for _ in range(2):
            compact_bundle(bundle, journal, bundle)
            await retrieval.lifecycle.reload(None)
        assert list(pictures.iterdir()) == []
