"""Processes that are killed at each of their file operations, and what operations there were.

A child is forked after all imports and stopped by the kernel (seccomp, ptrace) before each system
call that changes files. There it is noted, and killed if it is its turn, so that all before has
happened and nothing after. Threads and children of the child are followed, too. Linux on x86_64.
"""

import ctypes
import os
import platform
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

_CALLS = {
    "write": 1, "open": 2, "pwrite64": 18, "writev": 20, "sendfile": 40, "fsync": 74,
    "fdatasync": 75, "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84,
    "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91, "openat": 257,
    "mkdirat": 258, "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266,
    "fchmodat": 268, "fallocate": 285, "pwritev": 296, "renameat2": 316, "copy_file_range": 326,
}  # fmt: skip
_NAMES = {number: name for name, number in _CALLS.items()}
_PATHS = {
    "open": (0,), "creat": (0,), "truncate": (0,), "rename": (0, 1), "mkdir": (0,), "rmdir": (0,),
    "link": (0, 1), "unlink": (0,), "symlink": (1,), "chmod": (0,), "openat": (1,), "mkdirat": (1,),
    "unlinkat": (1,), "renameat": (1, 3), "linkat": (1, 3), "symlinkat": (2,), "fchmodat": (1,),
    "renameat2": (1, 3),
}  # fmt: skip
"""Which arguments are paths; of the other calls the first one is a descriptor of the file (of
``sendfile`` too, of ``copy_file_range`` the third)."""
_FLAGS = {"open": 1, "openat": 2}
_AT = {"openat", "mkdirat", "unlinkat", "renameat", "linkat", "symlinkat", "fchmodat", "renameat2"}

_CONT, _SEIZE, _LISTEN, _INFO, _GET_EVENT = 7, 0x4206, 0x4208, 0x420E, 0x4201
_OPTIONS = 0x100000 | 0x80 | 0x2 | 0x4 | 0x8  # kill with the tracer; seccomp, fork, vfork, clone
_SECCOMP_STOP, _WALL = 7, 0x40000000
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long

supported = platform.machine() == "x86_64" and platform.system() == "Linux"


@dataclass(frozen=True, slots=True)
class Operation:
    """A system call; ``paths``: the file or both files that it is about, absolute."""

    name: str
    paths: tuple[str, ...]


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint32),
    )  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filters", ctypes.POINTER(_Filter)))


class _Info(ctypes.Structure):
    _fields_ = (
        ("op", ctypes.c_uint8), ("pad", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32),
        ("instruction", ctypes.c_uint64), ("stack", ctypes.c_uint64), ("number", ctypes.c_uint64),
        ("args", ctypes.c_uint64 * 6), ("data", ctypes.c_uint32),
    )  # fmt: skip


def operations(
    work: Callable[[], None], below: Path, kill_at: int | None = None
) -> list[Operation]:
    """Do ``work`` in a child, and tell its file operations below a folder.

    Args:
        kill_at: the number of the operation, from 0, before which the child is killed. If there are
            so many, the last operation told is the one that was not made.

    Raises ``AssertionError`` if the work ends with an error.
    """
    child = os.fork()
    if not child:
        _run(work)
    os.setpgid(child, child)
    told: list[Operation] = []
    os.waitpid(child, os.WUNTRACED)  # it has stopped itself
    _ptrace(_SEIZE, child, _OPTIONS)
    os.kill(child, signal.SIGCONT)
    try:
        while True:
            task, status = os.waitpid(-child, _WALL)
            if not os.WIFSTOPPED(status):
                if task == child:
                    break
                continue
            if status >> 16 == _SECCOMP_STOP:
                operation = _operation(task, str(below))
                if operation is not None:
                    if len(told) == kill_at:
                        os.kill(child, signal.SIGKILL)
                    told.append(operation)
                    if len(told) - 1 == kill_at:
                        continue
                _ptrace(_CONT, task, 0)
            else:
                given = os.WSTOPSIG(status)
                stopped = status >> 16 or given in (signal.SIGTRAP, signal.SIGSTOP, signal.SIGCONT)
                _ptrace(_CONT, task, 0 if stopped else given)
    finally:
        with suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-child, _WALL)
    if kill_at is None or len(told) <= kill_at:
        assert os.WIFEXITED(status), status
        assert os.WEXITSTATUS(status) == 0, "the work ended with an error"
    return told


def kills(
    work: Callable[[], None], below: Path, stride: int = 1, first: int = 0
) -> Iterator[Operation]:
    """Do ``work`` again and again, each time killed before another operation, and at last whole.

    Args:
        stride: only every so many operations, from the ``first`` on.

    Yields after each kill, the operation that was not made any more.
    """
    for kill_at in count(first, stride):
        told = operations(work, below, kill_at)
        if len(told) <= kill_at:
            return
        yield told[-1]


def unflushed(told: list[Operation], place: str) -> Iterator[str]:
    """What was not on the disk when a folder got the name ``place``: files that were written and
    folders whose names changed after they were last flushed; and the name itself at the end."""
    dirty: set[str] = set()
    folder = str(Path(place).parent)
    renamed = named = False
    for operation in told:
        first = operation.paths[0]
        match operation.name:
            case "fsync" | "fdatasync":
                dirty.discard(first)
                named = named or (renamed and first == folder)
            case "rename" | "renameat" | "renameat2" if operation.paths[1] == place:
                yield from (path for path in dirty if f"{path}/".startswith(f"{first}/"))
                renamed = True
            case "write" | "pwrite64" | "writev" | "pwritev" | "ftruncate" | "sendfile":
                dirty.add(first)
            case "copy_file_range" | "fallocate" | "truncate":
                dirty.add(first)
            case "unlink" | "unlinkat" | "rmdir":
                dirty.discard(first)
                dirty.add(str(Path(first).parent))
            case _:
                dirty.update(str(Path(path).parent) for path in operation.paths)
                if operation.name in ("open", "openat", "creat"):
                    dirty.add(first)
    if not named:
        yield place


def _run(work: Callable[[], None]) -> None:
    """In the child: the operations are told from here on."""
    code = 1
    try:
        torch.set_num_threads(1)  # those of the parent are not here
        with threadpool_limits(1):
            os.setpgid(0, 0)
            _stop_at_calls()
            os.kill(os.getpid(), signal.SIGSTOP)
            work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _stop_at_calls() -> None:
    """Have the kernel stop this process at all calls that change files."""
    numbers = list(_CALLS.values())
    steps = [_Filter(0x20, 0, 0, 0)]  # the call's number
    for place, number in enumerate(numbers):
        steps.append(_Filter(0x15, len(numbers) - place, 0, number))  # equal: to the last step
    steps += [_Filter(0x06, 0, 0, _ALLOW), _Filter(0x06, 0, 0, _TRACE)]
    program = _Program(len(steps), (_Filter * len(steps))(*steps))
    assert _libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges
    assert _libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0


def _operation(task: int, below: str) -> Operation | None:
    """The call that a task is stopped at; None if it changes nothing below a folder."""
    info = _Info()
    _ptrace(_INFO, task, ctypes.sizeof(info), ctypes.byref(info))
    name, args = _NAMES[info.number], info.args
    if name in _FLAGS and not args[_FLAGS[name]] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return None
    if name in _PATHS:
        paths = tuple(
            _absolute(task, _text(task, args[at]), args[at - 1] if name in _AT else None)
            for at in _PATHS[name]
        )
    else:
        at = 2 if name == "copy_file_range" else 0
        paths = (_readlink(f"/proc/{task}/fd/{ctypes.c_int(args[at]).value}"),)
    return Operation(name, paths) if any(path.startswith(below) for path in paths) else None


def _absolute(task: int, path: str, folder: int | None) -> str:
    if path.startswith("/"):
        return path
    number = None if folder is None else ctypes.c_int(folder & 0xFFFFFFFF).value
    inside = "cwd" if number in (None, -100) else f"fd/{number}"
    return f"{_readlink(f'/proc/{task}/{inside}')}/{path}"


def _readlink(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _text(task: int, address: int) -> str:
    with Path(f"/proc/{task}/mem").open("rb", buffering=0) as memory:
        found = b""
        while b"\0" not in found:
            memory.seek(address + len(found))
            # Up to the end of the page: what is behind it may not be there.
            found += memory.read(4096 - (address + len(found)) % 4096)
    return os.fsdecode(found.split(b"\0", 1)[0])


def _ptrace(request: int, task: int, data: object, more: object = None) -> None:
    given = (None, data) if more is None else (data, more)
    if _libc.ptrace(request, task, *given) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), f"ptrace {request}")
