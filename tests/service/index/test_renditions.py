"""Copies of pictures are small, made once, and take no more room than they may."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from elsewhere import MISSING, PLACES, put
from noise import encoded
from PIL import Image

from semcore.pictures.picture_source import StoredPicture, picture_source
from service.errors import NotFoundError, OverloadedError
from service.index import renditions as module
from service.index.renditions import SIZES, Renditions


@pytest.fixture
def renditions() -> Iterator[Renditions]:
    opened = Renditions(most_bytes=10_000_000)
    yield opened
    opened.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """One of 1500 by 1000 pixels."""
    path = tmp_path / "large.jpg"
    path.write_bytes(encoded("JPEG", (1500, 1000)))
    return path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the copies that were made."""
    names: list[str] = []
    content = module._content

    def noted(copy: module._Copy) -> bytes:
        names.append(copy.name)
        return content(copy)

    monkeypatch.setattr(module, "_content", noted)
    return names


def longer_side(content: bytes | Path) -> int:
    assert isinstance(content, bytes)
    return max(Image.open(io.BytesIO(content)).size)


@pytest.mark.parametrize(
    ("size", "side"), [(1, 64), (64, 64), (65, 128), (1024, 1024), (1025, 1500), (2048, 1500)]
)
async def test_a_size_is_rounded_up_and_nothing_is_enlarged(
    renditions: Renditions, picture: Path, size: int, side: int
) -> None:
    found = await renditions.of(picture, size)
    assert found.media_type == "image/jpeg"
    assert longer_side(found.content) == side


async def test_a_file_is_sent_itself_where_that_will_do(
    renditions: Renditions, picture: Path, tmp_path: Path
) -> None:
    whole = await renditions.of(picture, None)
    assert (whole.media_type, whole.content) == ("image/jpeg", picture)
    small = tmp_path / "small.png"
    small.write_bytes(encoded("PNG", (60, 40)))
    for size in (64, None):
        found = await renditions.of(small, size)
        assert (found.media_type, found.content) == ("image/png", small)
    assert longer_side((await renditions.of(small, 50)).content) == 60
    # What browsers do not show is copied, however large it is wanted.
    scan = tmp_path / "scan.tif"
    scan.write_bytes(encoded("TIFF", (60, 40)))
    for wanted in (64, None):
        found = await renditions.of(scan, wanted)
        assert (found.media_type, longer_side(found.content)) == ("image/jpeg", 60)


async def test_a_copy_is_made_once_until_its_file_is_another(
    renditions: Renditions, picture: Path, made: list[str]
) -> None:
    copies = await asyncio.gather(*(renditions.of(picture, size) for size in (200, 256) * 5))
    assert len({copy.content for copy in copies}) == 1
    assert len(made) == 1
    await renditions.of(picture, SIZES[0])
    picture.write_bytes(encoded("JPEG", (1200, 1000)))
    assert (await renditions.of(picture, 256)).content != copies[0].content
    assert len(made) == len(set(made)) == 3


async def test_a_copy_that_was_lost_is_made_again(
    renditions: Renditions, picture: Path, made: list[str]
) -> None:
    first = await renditions.of(picture, 256)
    for file in Path(renditions._folder.name).iterdir():
        file.unlink()
    assert await renditions.of(picture, 256) == first
    assert len(made) == 2


@pytest.mark.parametrize(
    ("content", "size"),
    [(None, None), (None, 64), (b"<html>", None), (b"<html>", 64), (encoded("JPEG")[:3000], 64)],
    ids=["gone", "gone, smaller", "a page", "a page, smaller", "cut, smaller"],
)
async def test_what_is_no_picture_is_not_found(
    renditions: Renditions, tmp_path: Path, content: bytes | None, size: int | None
) -> None:
    path = tmp_path / "picture.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotFoundError, match="cannot be shown"):
        await renditions.of(path, size)


async def test_too_many_at_a_time_are_sent_away(
    renditions: Renditions, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, begun = Event(), Event()

    def slow(copy: module._Copy) -> bytes:
        begun.set()
        assert may_end.wait(60)
        return b"a copy"

    monkeypatch.setattr(module, "_content", slow)
    monkeypatch.setattr(module, "_WAITING", 1)
    first = asyncio.create_task(renditions.of(picture, 64))
    try:
        assert await asyncio.to_thread(begun.wait, 60)
        with pytest.raises(OverloadedError) as raised:
            await renditions.of(picture, 128)
        assert raised.value.retry_after == 1
        assert (await renditions.of(picture, None)).content == picture  # which takes no copy
    finally:
        may_end.set()
    assert (await first).content == b"a copy"
    assert (await renditions.of(picture, 128)).content == b"a copy"


async def test_the_folder_of_thumbnails_is_bounded(tmp_path: Path) -> None:
    bounded = Renditions(most_bytes=60_000)
    folder = Path(bounded._folder.name)
    for number in range(6):
        path = tmp_path / f"{number}.bmp"
        path.write_bytes(encoded("BMP"))
        for _ in range(2):
            assert longer_side((await bounded.of(path, 256)).content) == 256
            assert sum(file.stat().st_size for file in folder.iterdir()) <= 60_000
    assert any(folder.iterdir())
    bounded.close()
    assert not folder.exists()


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_no_file_by_itself_is_read_where_no_copy_is_kept(
    renditions: Renditions, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {"0.jpg": encoded("JPEG", (1500, 1000)), "1.tif": encoded("TIFF", (60, 40))}
    root, images = put(place, pictures, tmp_path)
    photo, scan = (picture_source(root, image) for image in images.values())
    read: list[StoredPicture] = []

    def noted(source: StoredPicture) -> bytes:
        read.append(source)
        return taken(source)

    taken = StoredPicture.read
    monkeypatch.setattr(StoredPicture, "read", noted)
    whole = await renditions.of(photo, None)
    assert (whole.media_type, whole.content) == ("image/jpeg", pictures["0.jpg"])
    for wanted in (200, 256):
        found = await renditions.of(photo, wanted)
        assert (found.media_type, longer_side(found.content)) == ("image/jpeg", 256)
    assert read == [photo] * 2
    for size in (64, None):
        found = await renditions.of(scan, size)
        assert (found.media_type, longer_side(found.content)) == ("image/jpeg", 60)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", [None, 64])
async def test_where_pictures_lie_is_told_in_the_log_alone(
    renditions: Renditions,
    tmp_path: Path,
    place: str,
    size: int | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    root, images = put(place, {"a.jpg": encoded("JPEG")[:3000]}, tmp_path)
    with pytest.raises(NotFoundError, match="cannot be shown") as raised:
        await renditions.of(picture_source(root, MISSING[place]), size)
    assert str(tmp_path) not in str(raised.value)
    assert str(tmp_path) in caplog.text
    with pytest.raises(NotFoundError, match="cannot be shown"):
        await renditions.of(picture_source(root, images["a.jpg"]), 64)
