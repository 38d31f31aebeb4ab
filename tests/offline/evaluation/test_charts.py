"""Charts are pictures that change with what they show."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from offline.evaluation.charts import (
    draw_curves,
    draw_grid,
    draw_recall,
    draw_reliability,
    draw_survival,
)
from offline.evaluation.diagnosis import Bin, Reliability
from offline.evaluation.metrics import Estimate

Draw = Callable[[float, Path], None]
"""Draws a chart that shows a number from 0 to 1."""


def _survival(shown: float, out: Path) -> None:
    draw_survival({"text-to-image": [1.0, shown], "image-to-text": [1.0, 0.5, 0.25]}, out)


def _reliability(shown: float, out: Path) -> None:
    draw_reliability({"full": Reliability([Bin(0.3, shown, 4), Bin(0.9, 0.9, 2)], 0.1)}, out)


def _recall(shown: float, out: Path) -> None:
    draw_recall([("one", _estimate(90.0)), ("other", _estimate(100 * shown))], "R@1", out)


def _curves(shown: float, out: Path) -> None:
    points = [(10.0, _estimate(50.0)), (20.0, _estimate(100 * shown))]
    draw_curves({"R@1": points}, "beams", "recall", out)


def _grid(shown: float, out: Path) -> None:
    draw_grid({(2, 5): 10.0, (4, 5): 100 * shown, (4, 20): 30.0}, "words", "clusters", "R@1", out)


def _estimate(value: float) -> Estimate:
    return Estimate(value, max(0.0, value - 5), min(100.0, value + 5))


DRAWN: list[Draw] = [_survival, _reliability, _recall, _curves, _grid]


@pytest.mark.parametrize("draw", DRAWN)
def test_shows_what_it_is_given(draw: Draw, tmp_path: Path) -> None:
    pictures = []
    for number, shown in enumerate((0.25, 0.75, 0.25)):
        draw(shown, tmp_path / f"{number}.png")
        with Image.open(tmp_path / f"{number}.png") as picture:
            assert picture.format == "PNG"
            pictures.append(np.asarray(picture.convert("RGB")))
    first, second, again = pictures
    assert np.array_equal(first, again)
    assert first.shape != second.shape or not np.array_equal(first, second)


def test_bars_stand_in_the_order_given_from_the_top(tmp_path: Path) -> None:
    draw_recall([("one", _estimate(90)), ("other", _estimate(10))], "R@1", tmp_path / "a.png")
    samples = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    blue = (abs(samples - [0x5B, 0x8D, 0xB8]).sum(axis=2) < 30).sum(axis=1)
    rows = np.flatnonzero(blue)
    above, below = blue[rows[: len(rows) // 4]], blue[rows[-len(rows) // 4 :]]
    assert above.min() > 3 * below.max() > 0


def test_more_bars_make_a_higher_chart(tmp_path: Path) -> None:
    heights = []
    for count in (2, 12):
        bars = [(f"system {number}", _estimate(50)) for number in range(count)]
        draw_recall(bars, "R@1", tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as image:
            heights.append(image.height)
    assert heights[1] > 2 * heights[0]


def test_little_is_drawn_as_well(tmp_path: Path) -> None:
    """One number, an interval beside its value, and a line that ends before the others."""
    draw_grid({(2, 5): 10.0}, "words", "clusters", "R@1", tmp_path / "grid.png")
    draw_curves({"R@1": [(10.0, Estimate(0, 0, 0))]}, "beams", "recall", tmp_path / "curves.png")
    draw_recall([("one", Estimate(0.0, 0.1, 5.0))], "R@1", tmp_path / "recall.png")
    draw_survival({"one": [1.0], "other": [1.0, 0.5]}, tmp_path / "survival.png")
    draw_reliability({"one": Reliability([], 0.0)}, tmp_path / "reliability.png")
    assert len(list(tmp_path.iterdir())) == 5
