"""Folders, files and archives, here and behind URLs, are one thing for all layouts."""

import gzip
import zipfile
from pathlib import Path

import fsspec
import pytest

from offline.corpus.folder import Folder, open_source
from semcore.errors import CorpusError

FILES = {"a.txt": b"one\r\ntwo\n", "b/c.txt": b"three", "b/d/e.txt": b"four", "f/g.txt": b"five"}


def here(folder: Path) -> str:
    for name, content in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return str(folder)


def in_memory(folder: Path) -> str:
    for name, content in FILES.items():
        with fsspec.open(f"memory://{folder.name}/{name}", "wb") as file:
            file.write(content)
    return f"memory://{folder.name}"


def in_a_zip(folder: Path) -> str:
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return str(folder / "all.zip")


@pytest.mark.parametrize("write", [here, in_memory, in_a_zip])
def test_lists_and_reads(write: object, tmp_path: Path) -> None:
    assert callable(write)
    folder, named = open_source(write(tmp_path))
    assert named == ""
    assert (folder.files(), folder.folders()) == (["a.txt"], ["b", "f"])
    assert (folder.files("b"), folder.folders("b")) == (["b/c.txt"], ["b/d"])
    assert folder.files("none") == []
    assert list(folder.walk()) == list(FILES)
    assert folder.is_file("b/d/e.txt")
    assert not folder.is_file("b/d")
    with folder.open("b/c.txt") as file:
        assert file.read() == b"three"
    with folder.open_text("a.txt") as text:
        assert list(text) == ["one\n", "two\n"]
    assert folder.name == (tmp_path.name if write is not in_a_zip else folder.name)


def test_a_file_that_is_named_lies_in_its_folder(tmp_path: Path) -> None:
    here(tmp_path)
    folder, named = open_source(tmp_path / "b/c.txt")
    assert (folder.root, named) == (str(tmp_path / "b"), "c.txt")
    folder, named = open_source(f"{in_memory(tmp_path)}/b/c.txt")
    assert (folder.root, named) == (f"memory://{tmp_path.name}/b", "c.txt")
    assert folder.path("c.txt") == f"memory://{tmp_path.name}/b/c.txt"


@pytest.mark.parametrize("source", ["no/such/path", "nosuchprotocol://a/b"])
def test_what_is_not_there_is_named(source: str) -> None:
    with pytest.raises(CorpusError, match=source):
        open_source(source)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_text_is_read_in_what_it_is_written_in(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("image\tä 船\n".encode(encoding))
    with Folder(tmp_path).open_text("a.txt") as file:
        assert file.read() == "image\tä 船\n"


def test_bytes_that_are_no_text_are_kept_for_the_door(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("ä".encode("latin-1"))
    with Folder(tmp_path).open_text("a.txt") as file:
        assert file.read() == "\udce4"


def test_what_is_compressed_is_read_as_what_it_is_of(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"{}\n"))
    with Folder(tmp_path).open_text("a.jsonl.gz") as file:
        assert file.read() == "{}\n"
