"""Pictures in terminals that can show them, that cannot, and that keep to plain text."""

import io
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress

import pytest
from PIL import Image
from rich.console import Console, RenderableType

from cli.picture import drawn

# A process in a new session takes the first terminal that it opens for its own.
OPEN = "import os; os.open(os.ttyname(1), os.O_RDWR)"
# Where an answer comes, it is waited for, however slow the machine.
WAIT = "from textual_image import _terminal; read = _terminal.read"
WAIT += "; _terminal.read = lambda file, length, _: read(file, length, 60)"
SEARCH = "from cli.main import app; app()"
CELLS = {b"\x1b[16t": b"\x1b[6;20;10t"}
SIXEL = {b"\x1b[c": b"\x1b[?62;4c", **CELLS}
KITTY = {b"\x1b[c": b"\x1b[?62;c", b"\x1b_G": b"\x1b_Gi=1;OK\x1b\\", **CELLS}


def in_terminal(
    url: str,
    *arguments: str,
    answers: Mapping[bytes, bytes] = {},
    size: tuple[int, int] = (40, 100),
    stdin: int | None = None,
    environment: Mapping[str, str] = {},
) -> str:
    """What a search writes to a terminal that gives these answers to what it is asked."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    code = ";".join([OPEN, *([WAIT] if answers else []), SEARCH])
    command = [sys.executable, "-c", code, "search", "a red boat", "--top-k", "2"]
    own = {"SEMCORE_KEY": "both", "TERM": "xterm-256color", "NO_COLOR": "", "PYTHONPATH": ""}
    everything = {**os.environ, **own, **environment}
    written, unanswered = b"", dict(answers)
    with subprocess.Popen(
        [*command, "--url", url, *arguments],
        stdin=theirs if stdin is None else stdin,
        stdout=theirs,
        stderr=theirs,
        env={name: value for name, value in everything.items() if value},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        with suppress(OSError):  # how a terminal says that nobody writes to it any more
            while more := os.read(ours, 65536):
                written += more
                for asked in [asked for asked in unanswered if asked in written]:
                    os.write(ours, unanswered.pop(asked))
        os.close(ours)
    assert process.returncode == 0, written.decode()
    assert b"Traceback" not in written
    return written.decode()


def test_a_terminal_with_sixel_graphics(guarded: str) -> None:
    written = in_terminal(guarded, answers=SIXEL)
    assert written.count("\x1bP") == 2
    assert "▀" not in written


def test_a_terminal_with_the_graphics_of_kitty(guarded: str) -> None:
    written = in_terminal(guarded, answers=KITTY)
    assert written.count("\x1b_Ga=p") == 2
    assert chr(0x10EEEE) in written  # stands where the terminal puts the picture


def test_a_terminal_that_does_not_answer(guarded: str) -> None:
    assert in_terminal(guarded).count("▀") >= 2 * 8 * 8


def test_the_terminal_is_asked_even_where_the_input_is_another(guarded: str) -> None:
    written = in_terminal(guarded, answers=SIXEL, stdin=subprocess.DEVNULL)
    assert written.count("\x1bP") == 2


@pytest.mark.parametrize(
    ("arguments", "environment", "size"),
    [
        (["--no-pictures"], {}, (40, 100)),
        ([], {"NO_COLOR": "1"}, (40, 100)),
        ([], {"TERM": "dumb"}, (40, 100)),
        ([], {}, (0, 0)),
    ],
)
def test_plain_text_where_it_is_asked_for(
    guarded: str, arguments: list[str], environment: dict[str, str], size: tuple[int, int]
) -> None:
    written = in_terminal(guarded, *arguments, answers=SIXEL, environment=environment, size=size)
    assert "<g" in written
    assert "\x1bP" not in written
    assert "▀" not in written
    assert "\x1b[c" not in written


def as_painted(_: Image.Image, /, width: int | str, height: int | str) -> RenderableType:
    return f"{width} x {height}"


def shown(picture: RenderableType) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(picture)
    return capture.get().strip()


@pytest.mark.parametrize(("mode", "form"), [("RGBA", "PNG"), ("CMYK", "JPEG"), ("P", "GIF")])
def test_pictures_of_all_kinds_are_as_high(mode: str, form: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (60, 40)).save(file, form)
    assert shown(drawn(file.getvalue(), as_painted)) == "auto x 8"


def test_a_wide_picture_keeps_its_shape() -> None:
    file = io.BytesIO()
    Image.new("RGB", (900, 100)).save(file, "PNG")
    assert shown(drawn(file.getvalue(), as_painted)) == "64 x auto"


def test_says_that_a_picture_cannot_be_read() -> None:
    assert shown(drawn(b"no picture", as_painted)).startswith("the picture cannot be read")
