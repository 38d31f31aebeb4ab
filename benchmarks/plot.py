"""Plots of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks.measure import RESULTS

Panel = Mapping[str, Mapping[str, float]]


def bars(
    name: str,
    title: str,
    unit: str,
    panels: Mapping[str, Panel],
    out: Path | None = None,
    *,
    logarithmic: bool = True,
) -> None:
    """One panel of grouped bars a key: system → group → value."""
    figure, axes = plt.subplots(
        1, len(panels), figsize=(1.5 + 3.6 * len(panels), 3.8), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axis, (caption, systems) in zip(axes[0], panels.items(), strict=True):
        groups = list(next(iter(systems.values())))
        width = 0.8 / len(systems)
        for place, (system, values) in enumerate(systems.items()):
            at = np.arange(len(groups)) + (place - (len(systems) - 1) / 2) * width
            axis.bar(at, [values[group] for group in groups], width, label=system)
        if logarithmic:
            axis.set_yscale("log")
        axis.set_title(caption, fontsize=10)
        axis.set_xticks(range(len(groups)), groups, fontsize=8)
        axis.grid(axis="y", alpha=0.3)
    axes[0][0].set_ylabel(unit)
    axes[0][0].legend(fontsize=8)
    figure.suptitle(title)
    _save(figure, name, out)


def lines(
    name: str,
    title: str,
    labels: tuple[str, str],
    curves: Mapping[str, Sequence[tuple[float, float]]],
    out: Path | None = None,
) -> None:
    """Curves of (x, y) points, both scales logarithmic; ``labels``: of the two axes."""
    figure, axis = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
    for curve, points in curves.items():
        axis.plot(*zip(*points, strict=True), marker="o", label=curve)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel(labels[0])
    axis.set_ylabel(labels[1])
    axis.set_title(title)
    axis.grid(alpha=0.3, which="both")
    axis.legend(fontsize=8)
    _save(figure, name, out)


def timeline(
    name: str,
    title: str,
    labels: tuple[str, str],
    points: Sequence[tuple[float, float]],
    shaded: tuple[float, float],
    out: Path | None = None,
) -> None:
    """One curve over time from 0 up, a part of it shaded; ``labels``: of the two axes."""
    figure, axis = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
    axis.plot(*zip(*points, strict=True))
    axis.axvspan(*shaded, alpha=0.15)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(labels[0])
    axis.set_ylabel(labels[1])
    axis.set_title(title)
    axis.grid(alpha=0.3)
    _save(figure, name, out)


def _save(figure: Figure, name: str, out: Path | None) -> None:
    folder = out or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=110)
    plt.close(figure)
