"""What is flushed is on the disk, what a folder holds before the folder; a file is there whole."""

import os
from pathlib import Path

import pytest

from semcore.flush import flush, flush_all, write_whole


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the kernel was told, in order."""
    told: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        fsync(descriptor)
        told.append(f"flush {Path(f'/proc/self/fd/{descriptor}').readlink()}")

    def replaced(self: Path, target: Path) -> Path:
        told.append(f"rename {self} {target}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", replaced)
    return told


def test_files_and_folders_are_flushed(tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "file").write_text("a")
    before = set(Path("/proc/self/fd").iterdir())
    flush(tmp_path / "file")
    flush(tmp_path)
    assert told == [f"flush {tmp_path / 'file'}", f"flush {tmp_path}"]
    assert set(Path("/proc/self/fd").iterdir()) == before
    with pytest.raises(FileNotFoundError):
        flush(tmp_path / "none")


def test_what_a_folder_holds_is_flushed_before_it(tmp_path: Path, told: list[str]) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "a", inner):
        (folder / "file").write_text("a")
    flush_all(tmp_path)
    places = [inner / "file", inner, tmp_path / "a" / "file", tmp_path / "a", tmp_path / "file"]
    assert set(told) == {f"flush {place}" for place in (*places, tmp_path)}
    order = [told.index(f"flush {place}") for place in (inner / "file", inner, tmp_path / "a")]
    assert order == sorted(order)
    assert told[-1] == f"flush {tmp_path}"


def test_a_file_has_its_name_once_its_content_is_on_the_disk(
    tmp_path: Path, told: list[str]
) -> None:
    file, part = tmp_path / "notes.json", tmp_path / "notes.json.part"
    part.write_text("what a killed process has left, which is longer")
    for text in ("one", "two ü"):
        told.clear()
        write_whole(file, text)
        assert file.read_text() == text
        assert told == [f"flush {part}", f"rename {part} {file}", f"flush {tmp_path}"]
        assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "notes.json"
    write_whole(file, "one")

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(file, "two")
    assert file.read_text() == "one"
