"""Pictures are kept by content, once each and whole, until no item has them for long enough."""

import fcntl
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from semcore.journal.picture_folder import PictureFolder

ONE = f"{hashlib.sha256(b'one').hexdigest()}.png"


def names(folder: PictureFolder) -> set[str]:
    return {path.name for path in folder.path.iterdir()}


def age(folder: PictureFolder, name: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder.path / name, (then, then))


def test_a_picture_is_named_by_its_content(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path / "a" / "pictures")
    assert not (tmp_path / "a").exists()
    assert folder.keep(b"one", ".png") == ONE == PictureFolder.name(b"one", ".png")
    assert folder.keep(b"one", ".png") == ONE
    others = {folder.keep(b"one", ".jpg"), folder.keep(b"two", ".png")}
    assert names(folder) == {ONE, *others}
    assert (folder.path / ONE).read_bytes() == b"one"
    # Other replicas may run as another user.
    assert (folder.path / ONE).stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = PictureFolder(tmp_path)

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        folder.keep(b"one", ".png")
    assert names(folder) == set()


def test_pictures_that_no_item_has_go(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path / "pictures")
    assert folder.remove([ONE]) == [ONE]  # what is not there is gone
    assert not folder.path.exists()
    two = folder.keep(b"two", ".png")
    folder.keep(b"one", ".png")
    assert folder.remove([ONE, "never.png"]) == [ONE, "never.png"]
    assert names(folder) == {two}


def test_a_picture_that_was_kept_again_stays_as_long_as_a_new_one(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path)
    two = folder.keep(b"two", ".png")
    for name in (folder.keep(b"one", ".png"), two):
        age(folder, name, 7200)
    folder.keep(b"one", ".png")
    assert folder.remove([ONE, two], older=3600) == [two]
    assert names(folder) == {ONE}
    age(folder, ONE, 7200)
    assert folder.remove([ONE], older=3600) == [ONE]


def test_nothing_is_removed_while_somebody_keeps_a_picture(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path)
    folder.keep(b"one", ".png")
    keeping = os.open(tmp_path, os.O_RDONLY)  # as another process does
    fcntl.flock(keeping, fcntl.LOCK_SH)
    folder.keep(b"two", ".png")  # two may do so at a time
    removing = threading.Thread(target=folder.remove, args=([ONE],))
    removing.start()
    removing.join(0.1)
    assert (tmp_path / ONE).exists()
    os.close(keeping)
    removing.join()
    assert not (tmp_path / ONE).exists()
