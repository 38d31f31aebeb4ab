"""Whatever operation on files a process is killed at, there is a whole bundle, and nothing that was
acknowledged is lost."""

import asyncio
import io
import mmap
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from crash import kills, operations, supported, unflushed
from living import running
from manifests import copied
from PIL import Image

from offline.bundle.build import BuildSettings, build_bundle
from offline.bundle.compaction import compact_bundle
from offline.corpus.corpus import Corpus
from semcore.bundle.bundle import check_bundle, read_manifest
from semcore.identifiers import tokens
from semcore.identifiers.encoder import Encoder
from semcore.identifiers.identifier import Identifier
from semcore.journal.journal import Journal
from service.index.index import Index
from service.index.open_bundle import OpenBundle
from service.living.item_writer import Writer
from service.living.reload import Lifecycle
from service.schemas.admin import NewItem
from service.settings import Settings

pytestmark = pytest.mark.skipif(not supported, reason="needs ptrace on x86_64")

STRIDES = [
    pytest.param(29, id="some operations"),
    pytest.param(1, id="all operations", marks=pytest.mark.slow),
]


@pytest.fixture
def bundle(few: Path, tmp_path: Path) -> Path:
    """A copy, which may be replaced."""
    (tmp_path / "place").mkdir()
    return copied(few, tmp_path / "place" / "bundle")


@pytest.fixture(scope="module")
def encoder(few: Path) -> Encoder:
    found = Encoder(read_manifest(few).settings.encoder)
    found.encode(["a boat"])
    return found


def remains(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


@pytest.mark.parametrize("stride", STRIDES)
def test_a_build(
    stride: int, corpus: Corpus, trained: Path, encoder: Encoder, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    some = Corpus("some", corpus.image_root, corpus.pictures[:6], [])
    older = replace(some, pictures=corpus.pictures[6:12])

    def build(what: Corpus) -> Callable[[], None]:
        return lambda: (
            build_bundle(what, place / "out", BuildSettings(), trained / "bundle", encoder),
            None,
        )[1]

    # 1. Where there was none: none or a whole one.
    for _ in kills(build(some), place, stride):
        if (place / "out").exists():
            check_bundle(place / "out")
            shutil.rmtree(place / "out")
    version = check_bundle(place / "out").version
    # 2. Where there was one: that one or the new one.
    build(older)()
    before = check_bundle(place / "out").version
    seen = set()
    for _ in kills(build(some), place, stride):
        seen.add(check_bundle(place / "out").version)
        build(older)()
        assert remains(place) == {"out"}
    assert seen <= {before, version}
    if stride == 1:
        assert seen == {before, version}
    assert check_bundle(place / "out").version == version
    # 3. All is on the disk before it has its name, and the name at the end.
    told = operations(build(some), place)
    assert list(unflushed(told, str(place / "out"))) == []


CAPTIONS = ["two dogs in the snow", "a red boat at night", "three green trees"]


def a_text(number: int) -> NewItem:
    return NewItem(id=f"new{number}", kind="text", captions=[CAPTIONS[number % 3]])


def a_picture(number: int) -> NewItem:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), (number, 0, 0)).save(content, "PNG")
    return NewItem.model_construct(
        id=f"new{number}", kind="image", captions=["a red boat"], image=content.getvalue(),
        pair=None, metadata={},
    )  # fmt: skip


def check(bundle: Path, folder: Path, expected: set[str]) -> None:
    """After a kill: the bundle is whole, and with the journal it shows what it has to."""
    check_bundle(bundle)
    journal = Journal(folder)
    index = Index(bundle, journal)
    known = {item.id for item in index.bundle.store} | {"new0", "new1"}
    assert {one for one in known if index.snapshot.get(one) is not None} == expected
    picture = index.snapshot.get("new1")
    assert picture is not None
    path = index.snapshot.picture_source(picture)
    assert isinstance(path, Path)
    Image.open(path).verify()
    index.close()
    journal.close()


@pytest.mark.parametrize("stride", STRIDES)
def test_a_compaction(stride: int, bundle: Path) -> None:
    place, journal = bundle.parent, bundle.parent / "journal"
    expected = asyncio.run(changed(bundle, journal))

    def compact() -> None:
        compact_bundle(bundle, journal, bundle)

    for _ in kills(compact, place, stride):
        check(bundle, journal, expected)
    check(bundle, journal, expected)
    assert remains(place) == {"bundle", "journal"}
    told = operations(compact, place)
    assert list(unflushed(told, str(bundle))) == []


async def changed(bundle: Path, journal: Path) -> set[str]:
    """Two items are added and one is deleted; what can be found then."""
    async with running(bundle, journal) as retrieval:
        await retrieval.writer.add([a_text(0), a_picture(1)])
        ids = {item.id for item in retrieval.lifecycle.current.bundle.store}
        await retrieval.writer.delete(min(ids))
        return (ids - {min(ids)}) | {"new0", "new1"}


class Life:
    """What is done to a service, one after the other, and what could be found after each step."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        self._bundle = bundle
        self._folder = folder
        self.done = mmap.mmap(-1, 1)  # how many steps: shared with the child, which is killed
        index = Index(bundle)
        ids = sorted(item.id for item in index.bundle.store)
        index.close()
        # Items are added, strings deleted; None compacts and loads the bundle, which prunes.
        self._steps: list[NewItem | str | None] = [
            a_text(0), a_picture(1), ids[0], None, a_text(2), "new0", None, "new1", None, None,
            a_text(0), ids[1],
        ]  # fmt: skip
        self.found = [set(ids)]
        for step in self._steps:
            last = self.found[-1]
            self.found.append(last | {step.id} if isinstance(step, NewItem) else last - {step})

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self.done[0] = 0
        settings = Settings(bundle=self._bundle, journal=self._folder)
        journal = Journal(self._folder)
        lifecycle = Lifecycle(settings, journal)
        lifecycle._adopt(lifecycle.current)
        writer = Writer(lifecycle, journal, 1000)
        for number, step in enumerate(self._steps, start=1):
            if isinstance(step, NewItem):
                await writer.add([step])
            elif step is not None:
                await writer.delete(step)
            else:
                compact_bundle(self._bundle, self._folder, self._bundle)
                await lifecycle._switch(lifecycle._open(self._bundle))
            self.done[0] = number
        lifecycle.close()
        journal.close()

    def check(self) -> None:
        """After a kill: what was done is there, and what was under way, wholly or not at all."""
        check_bundle(self._bundle)
        journal = Journal(self._folder)
        index = Index(self._bundle, journal)
        known = {item.id for item in index.bundle.store} | {f"new{number}" for number in range(3)}
        found = {one for one in known if index.snapshot.get(one) is not None}
        done = self.done[0]
        assert found in self.found[done : done + 2]
        item = index.snapshot.get("new1")
        if item is not None:
            path = index.snapshot.picture_source(item)
            assert isinstance(path, Path)
            Image.open(path).verify()
        index.close()
        journal.close()


class _Namer:
    def name(self, _kind: str, captions: list[str]) -> Identifier:
        return Identifier(1, tuple(captions[0].split()))


@pytest.mark.parametrize("stride", STRIDES)
def test_a_service_that_changes_is_compacted_and_reloads(
    stride: int, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, untouched = bundle.parent, tmp_path / "untouched"
    shutil.copytree(place, untouched)
    # The child is forked with the tokenizer, and needs no encoder.
    monkeypatch.setattr(OpenBundle, "namer", _Namer())
    load = cache(tokens.load_tokenizer)
    for module in (
        "service.index.open_bundle",
        "offline.bundle.compaction",
        "offline.bundle.binding",
    ):
        monkeypatch.setattr(f"{module}.load_tokenizer", load)
    life = Life(bundle, place / "journal")
    life.run()
    life.check()
    reached = set()
    shutil.rmtree(place)
    shutil.copytree(untouched, place)
    for _ in kills(life.run, place, 3 * stride if stride > 1 else 1):
        life.check()
        reached.add(life.done[0])
        # It goes on from there: nothing that is left stands in the way.
        if Journal(place / "journal").name:
            compact_bundle(bundle, place / "journal", bundle)
            assert not [name for name in remains(place) if name.endswith(".stage")]
        life.check()
        shutil.rmtree(place)
        shutil.copytree(untouched, place)
    assert len(reached) > 3
    assert life.done[0] == len(life.found) - 1
    life.check()
    assert not list((place / "journal" / "pictures").iterdir())
