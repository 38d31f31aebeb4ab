"""Whatever is done to a bundle's files, it is refused, and what served before serves on."""

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import new_item, running
from manifests import copied

from semcore.bundle.bundle import MANIFEST, read_manifest
from semcore.errors import BundleError, JournalError
from service.errors import ReloadError
from service.index.index import Index

FLIPS = 20  # of each file


def damages(path: Path, rng: random.Random) -> Iterator[tuple[str, bytes | None]]:
    """What a file may become; None: it is gone."""
    content = path.read_bytes()
    yield "missing", None
    yield "empty", b""
    yield "longer", content + b"\0"
    yield "garbage", rng.randbytes(len(content) or 100)
    for _ in range(5):
        yield "truncated", content[: rng.randrange(max(1, len(content) - 1))]
    for _ in range(FLIPS):
        place = rng.randrange(len(content))
        flipped = bytes([content[place] ^ (1 << rng.randrange(8))])
        yield "flipped", content[:place] + flipped + content[place + 1 :]


def test_no_damaged_bundle_is_opened(few: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    bundle = copied(few, tmp_path / "bundle")
    sound = read_manifest(bundle)
    counts: Counter[str] = Counter()
    for name in [MANIFEST, *sound.files]:
        path = bundle / name
        kept = path.read_bytes()
        for what, content in damages(path, rng):
            path.unlink()
            if content is not None:
                path.write_bytes(content)
            counts[what] += 1
            if name == MANIFEST and content and _says_the_same(bundle, sound):
                counts["harmless"] += 1  # a space more or less
            else:
                with pytest.raises(BundleError, match=path.name):
                    Index(bundle)
            path.write_bytes(kept)
    assert counts.total() >= 500
    assert counts["harmless"] < 10
    Index(bundle).close()


def _says_the_same(bundle: Path, sound: object) -> bool:
    try:
        return read_manifest(bundle) == sound
    except BundleError:
        return False


async def test_a_damaged_bundle_changes_nothing(few: Path, tmp_path: Path) -> None:
    rng = random.Random(1)
    bundle = copied(few, tmp_path / "bundle")
    async with running(bundle, tmp_path / "journal") as retrieval:
        current = retrieval.lifecycle.current
        for name in current.bundle.manifest.files:
            other = tmp_path / "other"
            shutil.copytree(bundle, other)
            content = bytearray((other / name).read_bytes())
            content[rng.randrange(len(content))] ^= 1
            (other / name).write_bytes(content)
            with pytest.raises(ReloadError, match=name):
                await retrieval.lifecycle.reload(other)
            shutil.rmtree(other)
        assert retrieval.lifecycle.current is current
        # Even where the files that serve are damaged in place, nothing that is mapped changes.
        for file in bundle.iterdir():
            file.unlink()
        await retrieval.check()
        assert current.snapshot.side("image") is not None
    assert not current.bundle.folder.exists()


async def test_a_disk_that_is_full_refuses_changes_and_serves_on(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(few, tmp_path / "journal") as retrieval:
        before = retrieval.lifecycle.current.snapshot

        def full(*_: object, **__: object) -> None:
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr("numpy.save", full)
        with pytest.raises(JournalError, match="No space"):
            await retrieval.writer.add([new_item(random.Random(0), "new")])
        assert retrieval.lifecycle.current.snapshot is before
        monkeypatch.undo()
        # A change that was refused is stored nowhere, and does not come with the next one.
        assert retrieval._journal.last == 0
        await retrieval.writer.add([new_item(random.Random(0), "newer")])
        assert await retrieval.item("new") is None
        assert await retrieval.item("newer") is not None
