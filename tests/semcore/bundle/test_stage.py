"""A folder takes its place as a whole: something whole is there at each moment, and on the disk."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from semcore.bundle import stage
from semcore.bundle.stage import appears, carry, discard, exchange, put, stage_for

FILE = "content"


def place(out: Path, content: str) -> None:
    with stage_for(out) as folder:
        (folder / FILE).write_text(content)
        put(folder, out)


@pytest.fixture
def unable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that exchanges no names."""
    monkeypatch.setattr(stage, "exchange", lambda *_: False)


def test_takes_an_empty_or_a_taken_place(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "out"
    for content in ("one", "two"):
        place(out, content)
        assert (out / FILE).read_text() == content
        assert list(out.parent.iterdir()) == [out]


@pytest.mark.usefixtures("unable")
def test_renames_twice_where_names_cannot_be_exchanged(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for content in ("one", "two"):
        place(out, content)
        assert (out / FILE).read_text() == content
        assert list(tmp_path.iterdir()) == [out]


@pytest.mark.usefixtures("unable")
def test_who_reads_between_two_renames_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, rename = tmp_path / "out", Path.rename
    place(out, "one")
    seen: list[bool] = []
    reader = threading.Thread(target=lambda: seen.append(appears(out)))

    def slow(self: Path, target: Path) -> Path:
        renamed = rename(self, target)
        if not out.exists():
            reader.start()
            reader.join(0.05)
            assert reader.is_alive()
        return renamed

    monkeypatch.setattr(Path, "rename", slow)
    place(out, "two")
    reader.join()
    assert seen == [True]
    assert not appears(tmp_path / "none")


@pytest.mark.usefixtures("unable")
def test_a_kill_between_two_renames_leaves_both_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    place(out, "one")
    rename = Path.rename
    child = os.fork()
    if not child:
        monkeypatch.setattr(Path, "rename", lambda *names: (rename(*names), os._exit(0)))
        place(out, "two")
    os.waitpid(child, 0)
    assert not out.exists()
    stage.sweep(out)
    assert {(left / FILE).read_text() for left in tmp_path.iterdir()} == {"one", "two"}
    place(out, "three")  # now there is a whole one
    stage.sweep(out)
    assert list(tmp_path.iterdir()) == [out]


def test_all_is_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path / "out", "one")
    told: list[str] = []
    fsync, swap = os.fsync, exchange

    def flushed(descriptor: int) -> None:
        fsync(descriptor)
        told.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def swapped(one: Path, other: Path) -> bool:
        told.append("exchange")
        return swap(one, other)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(stage, "exchange", swapped)
    with stage_for(tmp_path / "out") as folder:
        (folder / "below").mkdir()
        for name in ("a", "below/b"):
            (folder / name).write_text(name)
        put(folder, tmp_path / "out")
        files = [str(folder / name) for name in ("a", "below/b", "below")]
    assert sorted(told[:3]) == sorted(files)
    assert told.index(files[1]) < told.index(files[2])
    assert told[3:] == [str(folder), "exchange", str(tmp_path)]


KILLED = """
import os, sys
from pathlib import Path
from semcore.bundle.stage import stage_for
with stage_for(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    os._exit(0)
"""


def test_what_a_killed_process_has_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    place(out, "one")
    subprocess.run([sys.executable, "-c", KILLED, str(out)], check=True)
    others = [tmp_path / ".out.settings", tmp_path / ".out.b.01234567.stage", tmp_path / ".out"]
    for other in others:
        other.mkdir()
    assert len(list(tmp_path.iterdir())) == 5
    with stage_for(out) as used:
        (used / FILE).write_text("mine")
        place(out, "two")  # by another process meanwhile
        assert (used / FILE).read_text() == "mine"
        assert set(tmp_path.iterdir()) == {out, used, *others}
    assert set(tmp_path.iterdir()) == {out, *others}


def test_a_link_is_replaced_and_what_it_names_stays(tmp_path: Path) -> None:
    place(tmp_path / "first", "one")
    out = tmp_path / "out"
    out.symlink_to("first")
    place(out, "two")
    assert (out / FILE).read_text() == "two"
    assert (tmp_path / "first" / FILE).read_text() == "one"
    assert {path.name for path in tmp_path.iterdir()} == {"first", "out"}


def test_says_what_may_not_be_exchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        exchange(tmp_path / "none", tmp_path)


@pytest.mark.parametrize("missing", [True, False])
def test_a_system_that_cannot_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    def refusing(*_: object) -> int:
        stage.ctypes.set_errno(stage.errno.ENOSYS)
        return -1

    answer: Callable[..., int] | None = None if missing else refusing
    monkeypatch.setattr(stage, "_renameat2", lambda: answer)
    assert not exchange(tmp_path, tmp_path)


def test_a_file_that_stays_has_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("as it is")
    carry(file, tmp_path / "second")
    assert (tmp_path / "second").samefile(file)

    def unable(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", unable)
    carry(file, tmp_path / "copy")
    assert not (tmp_path / "copy").samefile(file)
    assert (tmp_path / "copy").read_text() == "as it is"


def test_a_discarded_folder_is_gone_under_its_own_name_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "out.work"
    (work / "stage1").mkdir(parents=True)
    remove = stage._remove

    def looking(folder: Path) -> None:
        assert not work.exists()
        remove(folder)

    monkeypatch.setattr(stage, "_remove", looking)
    discard(work, tmp_path / "out")
    assert not list(tmp_path.iterdir())
