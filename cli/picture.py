"""Pictures in the terminal: by Kitty's or Sixel graphics where it has them, else in half blocks."""

from __future__ import annotations

import logging
import os
import sys
import termios
from collections.abc import Sequence
from typing import Any, Protocol

from PIL import Image
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.text import Text

from semcore.client import SemcoreClient, ServiceError
from semcore.errors import PictureError
from semcore.pictures.picture import open_picture

_ROWS = 8
_WIDE = 4  # times as wide as high, from which on the width is what bounds a picture
_COLUMNS = 2 * _WIDE * _ROWS
_PIXELS = 512  # of the shorter side, more than so few lines of any terminal show


class Painter(Protocol):
    """A renderable of a picture; sizes are in characters."""

    def __call__(
        self, image: Image.Image, /, width: int | str, height: int | str
    ) -> RenderableType: ...


def console_for(pictures: bool | None) -> Console:
    """The standard output; where pictures are insisted on, they keep their colours in a pipe."""
    if not pictures:
        return Console()
    if sys.stdout.isatty():
        return Console(no_color=False)
    return Console(no_color=False, force_terminal=True, color_system="truecolor")


def painter(console: Console, pictures: bool | None) -> Painter | None:
    """What draws pictures on a console; None where none are to be, or can be, drawn.

    Args:
        pictures: whether they are wanted; None: where a terminal shows colours.
    """
    if pictures is None:
        plain = console.no_color or console.is_dumb_terminal
        pictures = console.is_terminal and not plain
    if not pictures:
        return None
    if not sys.stdout.isatty():
        from textual_image.renderable import HalfcellImage

        return HalfcellImage
    terminal = sys.stdout.fileno()
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():
            return None  # a job in the background would be stopped for asking the terminal
        if 0 in os.get_terminal_size(terminal):
            return None
        if not os.isatty(0):  # where the terminal answers what it can show
            os.dup2(os.open("/dev/tty", os.O_RDWR), 0)
        # It would print a traceback where a terminal keeps the size of its characters to itself.
        logging.getLogger("textual_image").setLevel(logging.ERROR)
        from textual_image import renderable
    except (OSError, termios.error):
        return None
    return renderable.Image


def gallery(client: SemcoreClient, items: Sequence[dict[str, Any]], draw: Painter) -> Columns:
    """The pictures of items, side by side, with rank and id; what cannot be had is left out."""
    shown = []
    for item in items:
        if item["image"]:
            title = f"{item['rank']} {item['id']}" if "rank" in item else item["id"]
            try:
                content = client.picture(item["id"])
            except ServiceError:
                continue
            shown.append(Group(drawn(content, draw), Text(title)))
    return Columns(shown, padding=(0, 2))


def drawn(content: bytes, draw: Painter) -> RenderableType:
    """The picture of a file's bytes, a few lines high."""
    try:
        picture = open_picture(content, _PIXELS)
    except PictureError as error:
        return Text(f"the picture cannot be read: {error}")
    if picture.width > _WIDE * picture.height:
        return draw(picture, width=_COLUMNS, height="auto")
    return draw(picture, width="auto", height=_ROWS)
