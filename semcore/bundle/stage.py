"""Stages: folders that are filled beside their place, and take it as a whole.

A stage is locked by the process that fills it. What a killed process has left is removed when the
next stage for the same place is made.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from semcore.flush import flush, flush_all

_SUFFIX = ".stage"
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
_UNABLE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)
_GAP_SECONDS, _LOOK_SECONDS = 1.0, 0.01


@contextmanager
def stage_for(out: Path) -> Iterator[Path]:
    """A new folder beside ``out``, absolute, to be filled and then :func:`put` there.

    It is gone when the block ends, with the older folder if :func:`put` has left that in it.
    """
    make_folder(out.parent)
    sweep(out)
    stage, lock = _locked(out)
    try:
        yield stage
    finally:
        _remove(stage)
        os.close(lock)


def put(stage: Path, out: Path) -> None:
    """Give ``stage`` the name ``out``, after all that is in it was flushed to the disk.

    The two names are exchanged by one operation of the file system, so that a whole folder is at
    ``out`` at each moment; the older one is at ``stage`` then. Where the file system cannot do so
    (some of the network), two renames are made, between which nothing is at ``out``: readers wait
    by :func:`appears`. Where the process is killed there, both folders lie beside ``out``, as
    ``.NAME.*.stage``, and nobody removes them as long as ``out`` is missing.
    """
    flush_all(stage)
    if not os.path.lexists(out):
        stage.rename(out)
    elif not exchange(stage, out):
        spare = _new_name(out)
        out.rename(spare)
        stage.rename(out)
        _remove(spare)
    flush(out.parent)


def carry(source: Path, target: Path) -> None:
    """Give a file that stays as it is a second name, or copy it to another file system.

    Who changes it after that writes a new file in its place: else it would change under both names.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def discard(folder: Path, out: Path) -> None:
    """Remove a folder beside ``out``, under the name of a stage, because what is half removed must
    not be taken for the whole."""
    stage = _new_name(out)
    folder.rename(stage)
    _remove(stage)


def sweep(out: Path) -> None:
    """Remove the stages for ``out`` that killed processes have left, if there is an ``out``."""
    if out.exists():
        for stage in _stages(out):
            with suppress(OSError):
                descriptor = os.open(stage, os.O_RDONLY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(stage)
                finally:
                    os.close(descriptor)


def appears(out: Path) -> bool:
    """Whether there is a folder at ``out``; waits for one that is being put there by two renames,
    one second at most."""
    until = time.monotonic() + _GAP_SECONDS
    while not out.exists() and any(_stages(out)) and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    return out.exists()


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once. False where the system or the file system cannot.

    Raises :class:`OSError` where it may not.
    """
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNABLE:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each of which is on the disk then."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush(folder.parent)


@cache
def _renameat2() -> Any:
    """Of the C library; None where it has none."""
    found = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if found is not None:
        found.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p,
                          ctypes.c_uint)  # fmt: skip
    return found


def _locked(out: Path) -> tuple[Path, int]:
    """A new stage, and the lock that tells others it is in use."""
    while True:
        stage = _new_name(out)
        stage.mkdir()
        with suppress(FileNotFoundError):
            lock = os.open(stage, os.O_RDONLY)
            with suppress(OSError):  # where nobody can lock, nobody sweeps
                fcntl.flock(lock, fcntl.LOCK_EX)
            if stage.exists():  # else another process has swept it before it was locked
                return stage, lock
            os.close(lock)


def _new_name(out: Path) -> Path:
    return out.with_name(f".{out.name}.{secrets.token_hex(4)}{_SUFFIX}")


def _stages(out: Path) -> Iterator[Path]:
    shape = re.compile(rf"\.{re.escape(out.name)}\.[0-9a-f]{{8}}{re.escape(_SUFFIX)}")
    with suppress(OSError), os.scandir(out.parent) as entries:
        yield from (Path(entry) for entry in entries if shape.fullmatch(entry.name))


def _remove(stage: Path) -> None:
    if stage.is_symlink():
        stage.unlink(missing_ok=True)
    shutil.rmtree(stage, ignore_errors=True)
