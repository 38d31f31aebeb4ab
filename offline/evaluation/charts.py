"""Charts of evaluations and reproductions, as PNG files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from offline.evaluation.diagnosis import Reliability
from offline.evaluation.metrics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = (6.4, 4.0)


def draw_survival(shares: Mapping[str, Sequence[float]], out: Path) -> None:
    """One line a name: after how many tokens the beams still lead to a right item."""
    longest = max(len(values) for values in shares.values())
    with _axis(out, "tokens spelled", "queries with a right item in reach (%)") as axis:
        for name, values in shares.items():
            padded = [*values, *[values[-1]] * (longest - len(values))]
            axis.plot(range(longest), [100 * value for value in padded], marker="o", label=name)
        axis.set_ylim(0, 102)
        axis.locator_params(axis="x", integer=True)
        axis.legend()


def draw_reliability(found: Mapping[str, Reliability], out: Path) -> None:
    """One line a name: how often first items are right, by the probability given to them."""
    with _axis(out, "probability given to the first item", "share of them that are right") as axis:
        axis.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
        for name, one in found.items():
            axis.plot(
                [each.confidence for each in one.bins],
                [each.accuracy for each in one.bins],
                marker="o",
                label=f"{name}, error {100 * one.error:.1f} %",
            )
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.02)
        axis.legend()


def draw_recall(bars: Sequence[tuple[str, Estimate]], title: str, out: Path) -> None:
    """Horizontal bars with intervals, in the order given from the top."""
    with _axis(out, f"{title} (%)", "", height=0.6 + 0.34 * len(bars)) as axis:
        places = range(len(bars), 0, -1)
        values = [one.value for _, one in bars]
        spans = [
            [max(0.0, one.value - one.low) for _, one in bars],
            [max(0.0, one.high - one.value) for _, one in bars],
        ]
        axis.barh(places, values, xerr=spans, color="#5b8db8", ecolor="#333", capsize=3)
        axis.set_yticks(places, [name for name, _ in bars])
        axis.set_xlim(0, 100)


def draw_curves(
    curves: Mapping[str, Sequence[tuple[float, Estimate]]], x: str, y: str, out: Path
) -> None:
    """Lines with intervals over a number."""
    with _axis(out, x, y) as axis:
        for name, points in curves.items():
            places = [place for place, _ in points]
            line = axis.plot(places, [one.value for _, one in points], marker="o", label=name)
            low, high = [one.low for _, one in points], [one.high for _, one in points]
            axis.fill_between(places, low, high, color=line[0].get_color(), alpha=0.12)
        axis.set_ylim(bottom=0)
        axis.legend()


def draw_grid(
    values: Mapping[tuple[int, int], float], x: str, y: str, title: str, out: Path
) -> None:
    """A field for each pair of whole numbers (x, y); what is missing stays empty."""
    columns = sorted({column for column, _ in values})
    rows = sorted({row for _, row in values})
    with _axis(out, x, y) as axis:
        table = [[values.get((column, row), math.nan) for column in columns] for row in rows]
        lowest, highest = min(values.values()), max(values.values())
        axis.imshow(table, origin="lower", cmap="viridis", aspect="auto")
        axis.set_xticks(range(len(columns)), [str(column) for column in columns])
        axis.set_yticks(range(len(rows)), [str(row) for row in rows])
        axis.set_title(title, fontsize=9)
        for place, line in enumerate(table):
            for at, value in enumerate(line):
                if math.isnan(value):
                    continue
                colour = "white" if value < (lowest + highest) / 2 else "black"
                axis.text(at, place, f"{value:.1f}", ha="center", va="center", color=colour)


@contextmanager
def _axis(out: Path, x: str, y: str, height: float = _SIZE[1]) -> Iterator[Axes]:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(_SIZE[0], height), layout="constrained")
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    yield axis
    figure.savefig(out, dpi=110)
    plt.close(figure)
