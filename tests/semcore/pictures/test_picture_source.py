"""A picture is read from wherever its root and its part of a file say that it lies."""

import io
import tarfile
import zipfile
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from semcore.errors import PictureError
from semcore.pictures.picture_source import (
    StoredPicture,
    below,
    fetched,
    found_below,
    is_url,
    part_of,
    picture_source,
)


def png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, "PNG")
    return file.getvalue()


def stored(root: str | Path, image: str) -> bytes:
    found = picture_source(root, image)
    assert isinstance(found, StoredPicture)
    return found.read()


def test_a_plain_path_is_a_file_of_this_machine(tmp_path: Path) -> None:
    assert picture_source(tmp_path, "a/b.png") == tmp_path / "a/b.png"
    assert picture_source(str(tmp_path), "a::b#c+d.png") == tmp_path / "a::b#c+d.png"


def test_reads_a_member_of_a_tar_by_its_bytes(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        for name in ("red", "blue"):
            info = tarfile.TarInfo(f"{name}.png")
            info.size = len(png(name))
            tar.addfile(info, io.BytesIO(png(name)))
    with tarfile.open(tmp_path / "0.tar") as tar:
        for member in tar:
            part = part_of("0.tar", f"{member.offset_data}+{member.size}")
            assert stored(tmp_path, part) == png(member.name.removesuffix(".png"))
    with pytest.raises(PictureError, match="the file is shorter"):
        stored(tmp_path, part_of("0.tar", "100+10000000"))


@pytest.mark.parametrize("plain", [True, False])
def test_reads_a_cell_of_a_parquet_file(tmp_path: Path, plain: bool) -> None:
    colours = ["red", "green", "blue", "white", "black"]
    cells = [png(one) if plain else {"bytes": png(one), "path": None} for one in colours]
    parquet.write_table(pa.table({"image": cells}), tmp_path / "a.parquet", row_group_size=2)
    for row, colour in enumerate(colours):
        assert stored(tmp_path, part_of("a.parquet", f"{row}/image")) == png(colour)
    for part in ("5/image", "0/none", "0/"):
        with pytest.raises(PictureError, match="cannot be read"):
            stored(tmp_path, part_of("a.parquet", part))


def test_a_cell_without_bytes_is_no_picture(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"image": [{"path": "a.png"}]}), tmp_path / "a.parquet")
    with pytest.raises(PictureError, match="no bytes of a picture"):
        stored(tmp_path, part_of("a.parquet", "0/image"))


def test_reads_through_urls_and_archives(tmp_path: Path) -> None:
    with fsspec.open("memory://photos/deep/a.png", "wb") as file:
        file.write(png("red"))
    assert stored("memory://photos", "deep/a.png") == png("red")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("deep/b.png", png("blue"))
    for root in (f"zip://::{tmp_path}/all.zip", f"zip://deep::{tmp_path}/all.zip"):
        name = "b.png" if "deep" in root else "deep/b.png"
        assert stored(root, name) == png("blue")


@pytest.mark.parametrize(
    "root", ["memory://nowhere", "nosuchprotocol://bucket", "zip://::/no/such/archive.zip"]
)
def test_what_cannot_be_read_is_said_in_one_error(root: str) -> None:
    with pytest.raises(PictureError, match=r"a\.png.* cannot be read: "):
        stored(root, "a.png")


@pytest.mark.parametrize(
    ("root", "url"),
    [
        ("s3://bucket", "s3://bucket/a.png"),
        ("s3://bucket/", "s3://bucket/a.png"),
        ("zip://::b.zip", "zip://a.png::b.zip"),
        ("zip://in::s3://bucket/b.zip", "zip://in/a.png::s3://bucket/b.zip"),
    ],
)
def test_a_file_below_a_url(root: str, url: str) -> None:
    assert below(root, "a.png") == url


def test_says_what_to_install_for_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "open", lacking)
    with pytest.raises(PictureError, match=r"s3://bucket/a\.png .*: Install s3fs to access S3"):
        stored("s3://bucket", "a.png")


def test_a_folder_of_any_name_is_no_url(tmp_path: Path) -> None:
    folder = tmp_path / "a::b"
    folder.mkdir()
    (folder / "a.tar").write_bytes(b"0123456789")
    for root in (folder, str(folder)):
        assert not is_url(root)
        assert picture_source(root, "a.png") == folder / "a.png"
        assert stored(root, part_of("a.tar", "3+4")) == b"3456"


def test_what_is_no_file_by_itself_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"0123456789")
    assert fetched(tmp_path / "a.png") == tmp_path / "a.png"
    assert fetched(b"content") == b"content"
    assert fetched(picture_source(tmp_path, part_of("a.tar", "3+4"))) == b"3456"


def test_a_file_of_this_machine_is_found_below_its_root_alone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for path in (root / "a.tar", tmp_path / "outside.tar"):
        path.write_bytes(b"0123456789")
    (root / "link.tar").symlink_to(tmp_path / "outside.tar")
    assert found_below(root, "a.tar") == root / "a.tar"
    found = found_below(str(root), part_of("a.tar", "3+4"))
    assert found == StoredPicture(str(root / "a.tar"), "3+4")
    for image in ("", "none.tar", "../outside.tar", "link.tar", str(tmp_path / "outside.tar")):
        assert found_below(root, image) is None
        if image:
            assert found_below(root, part_of(image, "3+4")) is None


@pytest.mark.parametrize(
    "image",
    ["", "../a.png", "in/../../a.png", "..", "a.png::file:///etc/passwd", "../all.tar//0+4"],
)
def test_nothing_is_found_outside_of_a_url(image: str) -> None:
    for root in ("memory://photos", "file:///photos", "zip://in::s3://bucket/b.zip"):
        assert found_below(root, "in/a..b.png") == picture_source(root, "in/a..b.png")
        assert found_below(root, image) is None
