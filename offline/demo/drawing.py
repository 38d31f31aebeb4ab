"""Paints the scenes of the demo corpus with Pillow: flat shapes with a dark outline."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from offline.demo.scene import Group, Scene

PICTURE_SIZE = 128
_SCALE = 2  # painted larger and reduced, which smooths the edges
_OUTLINE = (25, 25, 30)
_LIGHT = (240, 240, 240)
_BROWN = (120, 75, 40)
_PINK = (250, 150, 180)
_TEAL = (0, 170, 160)
_GOLD = (250, 190, 50)
_LEAF = (60, 140, 50)
_CYAN = (110, 235, 245)
_LIME = (180, 255, 60)
_MAROON = (125, 25, 60)
_MAGENTA = (255, 0, 170)
_BEIGE = (225, 190, 140)
_NAVY = (25, 35, 120)
_COFFEE = (75, 40, 20)
_LILAC = (205, 165, 255)

_RGB = {
    "red": (220, 40, 40), "blue": (45, 90, 225), "green": (40, 165, 60),
    "yellow": (250, 215, 50), "orange": (250, 140, 30), "purple": (150, 60, 190),
    "white": (250, 250, 250), "black": (45, 45, 50),
}  # fmt: skip
_SKY_AND_GROUND = {
    "meadow": ((170, 215, 245), (130, 190, 90)),
    "beach": ((120, 200, 240), (240, 220, 165)),
    "night": ((40, 45, 120), (65, 70, 115)),
    "snow": ((205, 220, 235), (245, 248, 252)),
    "desert": ((245, 225, 180), (215, 165, 95)),
    "sunset": ((245, 150, 110), (130, 75, 95)),
    "room": ((225, 205, 190), (165, 115, 75)),
    "city": ((185, 190, 200), (110, 112, 118)),
}

_Colour = tuple[int, int, int]
_Point = tuple[float, float]

# Where the groups stand from left to right, and how far each reaches, by their number.
_PLACES: dict[int, tuple[_Point, ...]] = {
    2: ((0.26, 0.54), (0.74, 0.54)),
    3: ((0.23, 0.70), (0.50, 0.25), (0.77, 0.70)),
}
_REACH = {2: {"small": 0.17, "large": 0.24}, 3: {"small": 0.15, "large": 0.21}}
# The share of the reach that one object takes, and where the objects stand, by their number.
_SPOTS: dict[int, tuple[float, tuple[_Point, ...]]] = {
    1: (1.0, ((0.0, 0.0),)),
    2: (0.76, ((-0.55, 0.55), (0.55, -0.55))),
    3: (0.66, ((-0.6, 0.7), (0.6, 0.7), (0.0, -0.7))),
}


def draw(scene: Scene, rng: random.Random) -> Image.Image:
    """An RGB picture of ``PICTURE_SIZE`` × ``PICTURE_SIZE`` pixels; ``rng`` jitters the places."""
    side = PICTURE_SIZE * _SCALE
    picture = Image.new("RGB", (side, side))
    pen = _Pen(ImageDraw.Draw(picture), side)
    _background(pen, scene.background, rng)
    layout = len(scene.groups)
    for group, (across, down) in zip(scene.groups, _PLACES[layout], strict=True):
        x, y = across + rng.uniform(-0.02, 0.02), down + rng.uniform(-0.02, 0.02)
        _group(pen, group, x, y, _REACH[layout][group.size])
    return picture.resize((PICTURE_SIZE, PICTURE_SIZE), Image.Resampling.LANCZOS)


class _Pen:
    """Draws in coordinates of the unit square, whatever the size of the picture."""

    def __init__(self, canvas: ImageDraw.ImageDraw, side: int) -> None:
        self._canvas = canvas
        self._side = side

    def ellipse(self, box: tuple[float, float, float, float], fill: _Colour) -> None:
        self._canvas.ellipse(self._scaled(box), fill=fill, outline=_OUTLINE, width=2)

    def box(
        self, box: tuple[float, float, float, float], fill: _Colour, *, outlined: bool = True
    ) -> None:
        outline = _OUTLINE if outlined else None
        self._canvas.rectangle(self._scaled(box), fill=fill, outline=outline, width=2)

    def polygon(self, points: Sequence[_Point], fill: _Colour) -> None:
        corners = [(x * self._side, y * self._side) for x, y in points]
        self._canvas.polygon(corners, fill=fill, outline=_OUTLINE, width=2)

    def line(self, start: _Point, end: _Point, fill: _Colour = _OUTLINE, width: int = 3) -> None:
        self._canvas.line(self._scaled((*start, *end)), fill=fill, width=width)

    def pie(
        self, box: tuple[float, float, float, float], start: int, end: int, fill: _Colour
    ) -> None:
        self._canvas.pieslice(self._scaled(box), start, end, fill=fill, outline=_OUTLINE, width=2)

    def _scaled(self, box: Sequence[float]) -> tuple[float, float, float, float]:
        left, top, right, bottom = (value * self._side for value in box)
        return left, top, right, bottom


def _background(pen: _Pen, background: str, rng: random.Random) -> None:
    sky, ground = _SKY_AND_GROUND[background]
    pen.box((0, 0, 1, 1), sky, outlined=False)
    pen.box((0, 0.68, 1, 1), ground, outlined=False)
    if background == "beach":
        pen.box((0, 0.55, 1, 0.68), (40, 130, 190), outlined=False)
    elif background == "city":
        for left in (0.0, 0.17, 0.36, 0.55, 0.72, 0.88):
            top = rng.uniform(0.2, 0.5)
            pen.box((left, top, left + 0.12, 0.68), (135, 140, 155), outlined=False)
    elif background in ("night", "snow"):
        for _ in range(25):
            x, y = rng.random(), rng.uniform(0, 0.66)
            pen.box((x, y, x + 0.01, y + 0.01), (255, 255, 255), outlined=False)


def _group(pen: _Pen, group: Group, x: float, y: float, reach: float) -> None:
    share, spots = _SPOTS[group.count]
    for across, down in spots:
        _SHAPES[group.kind](
            pen, x + across * reach, y + down * reach, share * reach, _RGB[group.colour]
        )


def _regular(x: float, y: float, radii: Sequence[float]) -> list[_Point]:
    """Corners at equal angles around (x, y), the first on top, at the given distances."""
    turn = 2 * math.pi / len(radii)
    return [(x + r * math.sin(i * turn), y - r * math.cos(i * turn)) for i, r in enumerate(radii)]


def _tree(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.box((x - 0.25 * r, y + 0.4 * r, x + 0.25 * r, y + r), _BROWN)
    pen.polygon([(x - 0.8 * r, y + 0.5 * r), (x, y - 0.3 * r), (x + 0.8 * r, y + 0.5 * r)], fill)
    pen.polygon([(x - 0.6 * r, y - 0.1 * r), (x, y - r), (x + 0.6 * r, y - 0.1 * r)], fill)


def _house(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.box((x - 0.75 * r, y - 0.15 * r, x + 0.75 * r, y + r), fill)
    pen.polygon([(x - r, y - 0.15 * r), (x, y - r), (x + r, y - 0.15 * r)], _MAROON)
    pen.box((x - 0.2 * r, y + 0.35 * r, x + 0.2 * r, y + r), _LIGHT)


def _sun(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.polygon(_regular(x, y, [r, 0.55 * r] * 12), fill)
    pen.ellipse((x - 0.5 * r, y - 0.5 * r, x + 0.5 * r, y + 0.5 * r), _GOLD)
    for eye in (-0.2, 0.2):
        pen.line((x + eye * r, y - 0.15 * r), (x + eye * r, y + 0.1 * r), width=4)


def _boat(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    hull = [
        (x - r, y + 0.35 * r),
        (x + r, y + 0.35 * r),
        (x + 0.6 * r, y + r),
        (x - 0.6 * r, y + r),
    ]
    pen.polygon(hull, fill)
    pen.line((x, y - r), (x, y + 0.35 * r), _BROWN, 5)
    pen.polygon(
        [(x + 0.08 * r, y - r), (x + 0.08 * r, y + 0.2 * r), (x + 0.8 * r, y + 0.2 * r)], _LIGHT
    )


def _car(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.polygon(
        [
            (x - 0.55 * r, y),
            (x - 0.35 * r, y - 0.5 * r),
            (x + 0.35 * r, y - 0.5 * r),
            (x + 0.6 * r, y),
        ],
        _CYAN,
    )
    pen.box((x - r, y, x + r, y + 0.5 * r), fill)
    for wheel in (-0.55, 0.55):
        left, top = x + (wheel - 0.25) * r, y + 0.3 * r
        pen.ellipse((left, top, left + 0.5 * r, top + 0.5 * r), (60, 60, 60))


def _cat(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.ellipse((x - 0.5 * r, y - 0.05 * r, x + 0.5 * r, y + r), fill)
    pen.ellipse((x - 0.35 * r, y + 0.2 * r, x + 0.35 * r, y + 0.95 * r), _PINK)
    for ear in (-1, 1):
        pen.polygon(
            [
                (x + ear * 0.5 * r, y - 0.4 * r),
                (x + ear * 0.45 * r, y - r),
                (x + ear * 0.1 * r, y - 0.65 * r),
            ],
            fill,
        )
    pen.ellipse((x - 0.5 * r, y - 0.75 * r, x + 0.5 * r, y + 0.1 * r), fill)
    for eye in (-0.22, 0.22):
        left, top = x + (eye - 0.08) * r, y - 0.45 * r
        pen.ellipse((left, top, left + 0.16 * r, top + 0.16 * r), _LIGHT)
    pen.ellipse((x - 0.13 * r, y - 0.25 * r, x + 0.13 * r, y - 0.05 * r), _PINK)


def _ball(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    box = (x - 0.9 * r, y - 0.9 * r, x + 0.9 * r, y + 0.9 * r)
    for start in range(0, 360, 90):
        pen.pie(box, start, start + 45, fill)
        pen.pie(box, start + 45, start + 90, _LIGHT if fill != _RGB["white"] else (190, 190, 190))


def _fish(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.polygon([(x + 0.4 * r, y), (x + r, y - 0.5 * r), (x + r, y + 0.5 * r)], fill)
    pen.ellipse((x - r, y - 0.45 * r, x + 0.6 * r, y + 0.45 * r), fill)
    for stripe in (-0.3, 0.0, 0.3):
        left = x + (stripe - 0.08) * r
        pen.box((left, y - 0.35 * r, left + 0.16 * r, y + 0.35 * r), _TEAL)
    pen.ellipse((x - 0.75 * r, y - 0.2 * r, x - 0.5 * r, y + 0.05 * r), _LIGHT)


def _bird(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.polygon([(x - r, y - 0.6 * r), (x - 0.1 * r, y), (x + 0.2 * r, y + 0.2 * r)], fill)
    pen.ellipse((x - 0.6 * r, y - 0.2 * r, x + 0.5 * r, y + 0.5 * r), fill)
    pen.ellipse((x - 0.5 * r, y - 0.1 * r, x + 0.3 * r, y + 0.4 * r), _LILAC)
    pen.ellipse((x + 0.2 * r, y - 0.6 * r, x + 0.8 * r, y), fill)
    pen.polygon(
        [(x + 0.75 * r, y - 0.4 * r), (x + 1.1 * r, y - 0.25 * r), (x + 0.75 * r, y - 0.15 * r)],
        _GOLD,
    )
    for leg in (-0.1, 0.15):
        pen.line((x + leg * r, y + 0.5 * r), (x + leg * r, y + r))


def _flower(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.line((x, y), (x, y + r), _LEAF, 5)
    for leaf in (-0.55, 0.0):
        left = x + leaf * r
        pen.ellipse((left, y + 0.5 * r, left + 0.55 * r, y + 0.85 * r), _LEAF)
    for px, py in _regular(x, y - 0.3 * r, [0.42 * r] * 5):
        pen.ellipse((px - 0.3 * r, py - 0.3 * r, px + 0.3 * r, py + 0.3 * r), fill)
    pen.ellipse((x - 0.2 * r, y - 0.5 * r, x + 0.2 * r, y - 0.1 * r), _GOLD)


def _star(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.polygon(_regular(x, y, [r, 0.4 * r] * 5), fill)
    pen.ellipse((x - 0.28 * r, y - 0.28 * r, x + 0.28 * r, y + 0.28 * r), _MAGENTA)


def _mushroom(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.box((x - 0.35 * r, y, x + 0.35 * r, y + r), _BEIGE)
    pen.pie((x - 0.9 * r, y - 0.9 * r, x + 0.9 * r, y + 0.9 * r), 180, 360, fill)
    for spot in (-0.4, 0.3):
        left, top = x + (spot - 0.12) * r, y - 0.5 * r
        pen.ellipse((left, top, left + 0.25 * r, top + 0.25 * r), _BEIGE)


def _umbrella(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.line((x, y - r), (x, y + 0.9 * r), _BROWN, 5)
    pen.line((x, y + 0.9 * r), (x + 0.25 * r, y + 0.9 * r), _BROWN, 5)
    box = (x - r, y - 0.9 * r, x + r, y + 0.7 * r)
    for start in range(180, 360, 45):
        pen.pie(box, start, start + 45, fill)


def _balloon(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.line((x, y + 0.3 * r), (x, y + 0.7 * r))
    pen.box((x - 0.3 * r, y + 0.5 * r, x + 0.3 * r, y + r), _NAVY)
    pen.ellipse((x - 0.6 * r, y - r, x + 0.6 * r, y + 0.4 * r), fill)
    pen.ellipse((x - 0.35 * r, y - 0.75 * r, x - 0.1 * r, y - 0.45 * r), _LIGHT)


def _kite(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.polygon(
        [(x, y - r), (x + 0.6 * r, y - 0.2 * r), (x, y + 0.6 * r), (x - 0.6 * r, y - 0.2 * r)], fill
    )
    pen.line((x, y - r), (x, y + 0.6 * r))
    pen.line((x - 0.6 * r, y - 0.2 * r), (x + 0.6 * r, y - 0.2 * r))
    for bow in (0.0, 0.25, 0.5):
        left, top = x + bow * r, y + (0.6 + 0.5 * bow) * r
        pen.ellipse((left - 0.2 * r, top - 0.15 * r, left + 0.2 * r, top + 0.2 * r), _LIME)


def _cup(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.ellipse((x + 0.2 * r, y - 0.3 * r, x + 0.95 * r, y + 0.5 * r), fill)
    pen.ellipse((x + 0.35 * r, y - 0.12 * r, x + 0.78 * r, y + 0.32 * r), _LIGHT)
    pen.ellipse((x - 0.9 * r, y + 0.65 * r, x + 0.7 * r, y + r), _LIGHT)
    pen.polygon(
        [
            (x - 0.7 * r, y - 0.7 * r),
            (x + 0.5 * r, y - 0.7 * r),
            (x + 0.35 * r, y + 0.8 * r),
            (x - 0.55 * r, y + 0.8 * r),
        ],
        fill,
    )
    pen.ellipse((x - 0.7 * r, y - 0.95 * r, x + 0.5 * r, y - 0.45 * r), _COFFEE)


def _clock(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    pen.ellipse((x - 0.9 * r, y - 0.9 * r, x + 0.9 * r, y + 0.9 * r), fill)
    pen.ellipse((x - 0.6 * r, y - 0.6 * r, x + 0.6 * r, y + 0.6 * r), _LIGHT)
    pen.line((x, y), (x, y - 0.5 * r))
    pen.line((x, y), (x + 0.35 * r, y + 0.15 * r))


def _heart(pen: _Pen, x: float, y: float, r: float, fill: _Colour) -> None:
    curve = []
    for step in range(40):
        t = 2 * math.pi * step / 40
        across = 16 * math.sin(t) ** 3
        up = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        curve.append((x + r * across / 17, y - r * up / 17))
    pen.polygon(curve, fill)
    pen.line((x - 0.9 * r, y + 0.5 * r), (x + 0.8 * r, y - 0.7 * r), _LIGHT, 6)
    pen.ellipse((x + 0.6 * r, y - 0.9 * r, x + r, y - 0.5 * r), _GOLD)


_SHAPES: dict[str, Callable[[_Pen, float, float, float, _Colour], None]] = {
    "tree": _tree, "house": _house, "sun": _sun, "boat": _boat, "car": _car, "cat": _cat,
    "ball": _ball, "fish": _fish, "bird": _bird, "flower": _flower, "star": _star,
    "mushroom": _mushroom, "umbrella": _umbrella, "balloon": _balloon, "kite": _kite,
    "cup": _cup, "clock": _clock, "heart": _heart,
}  # fmt: skip
