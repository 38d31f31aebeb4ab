"""The dashboard as a picture, from the same queries: ``python -m deploy.grafana.drawing``."""

from __future__ import annotations

import math
import re
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from deploy.grafana.dashboard import ROWS, Graph
from semcore.errors import SemcoreError

_COLUMNS = 3
_PANEL = (5.0, 2.5)  # inches
_TITLE = 0.35  # inches of the title of a row
_BACKGROUND = "#eeeff1"
_MOMENTS = 241


@dataclass(frozen=True, slots=True)
class Curve:
    """A series of Prometheus: its legend, and its value at each moment, nan where it has none."""

    legend: str
    values: NDArray[np.float64]


def draw(prometheus: str, begin: float, end: float) -> Figure:
    """All rows and panels of the dashboard, from what a Prometheus has recorded.

    Args:
        prometheus: its address.
        begin: Unix seconds, as ``end``.

    Raises:
        SemcoreError: no Prometheus answers there, or it does not take a query.
    """
    moments = np.linspace(begin, end, _MOMENTS)
    lines = [math.ceil(len(graphs) / _COLUMNS) for graphs in ROWS.values()]
    size = (_PANEL[0] * _COLUMNS, _PANEL[1] * sum(lines) + _TITLE * len(lines))
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06)
    figure = Figure(figsize=size, layout=layout, facecolor=_BACKGROUND)
    heights = [_PANEL[1] * height + _TITLE for height in lines]
    rows = figure.subfigures(len(lines), height_ratios=heights, squeeze=False).flat
    with httpx.Client(timeout=30) as client:
        for row, height, (title, graphs) in zip(rows, lines, ROWS.items(), strict=True):
            row.set_facecolor(_BACKGROUND)
            row.suptitle(title, x=0.005, ha="left", fontsize=13, fontweight="bold")
            cards = row.subfigures(height, _COLUMNS, wspace=0.015, hspace=0.01, squeeze=False)
            for card, graph in zip(cards.flat, graphs, strict=False):
                card.set_facecolor("white")
                curves = _curves(client, prometheus, graph, moments)
                _draw_panel(card.subplots(), graph, moments, curves)
    return figure


def written(value: float, unit: str) -> str:
    """A value as Grafana writes it; ``unit`` is one that the dashboard has."""
    forms = {
        "bytes": _scaled(value, 1024, (" B", " KiB", " MiB", " GiB", " TiB")),
        "percentunit": f"{100 * value:g}%",
        "reqps": f"{value:g} req/s",
        "s": EngFormatter("s").format_data(value),
        "short": _scaled(value, 1000, ("", " K", " Mil", " Bil")),
    }
    return forms[unit]


def main() -> None:
    parser = ArgumentParser(prog="python -m deploy.grafana.drawing", description=__doc__)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="its address")
    parser.add_argument("--out", type=Path, default=Path("dashboard.png"), help="the picture")
    parser.add_argument("--minutes", type=float, default=15.0, help="up to now")
    arguments = parser.parse_args()
    now = time.time()
    try:
        figure = draw(arguments.prometheus, now - 60 * arguments.minutes, now)
    except SemcoreError as error:
        raise SystemExit(f"semcore: {error}") from error
    figure.savefig(arguments.out, dpi=100)


def _scaled(value: float, base: int, names: Sequence[str]) -> str:
    power = sum(value >= base**power for power in range(1, len(names)))
    return f"{value / base**power:g}{names[power]}"


def _curves(
    client: httpx.Client, prometheus: str, graph: Graph, moments: NDArray[np.float64]
) -> list[Curve]:
    curves = []
    begin, step = moments[0], moments[1] - moments[0]
    for query, legend in graph.queries:
        for series in _series(client, prometheus, query, moments):
            values = np.full(len(moments), np.nan)
            for moment, value in series["values"]:
                values[round((moment - begin) / step)] = float(value)
            curves.append(Curve(_filled_in(legend, series["metric"]), values))
    return curves


def _series(
    client: httpx.Client, prometheus: str, query: str, moments: NDArray[np.float64]
) -> list[dict[str, Any]]:
    asked: dict[str, str | float] = {
        "query": query, "start": moments[0], "end": moments[-1], "step": moments[1] - moments[0]
    }  # fmt: skip
    try:
        response = client.get(f"{prometheus}/api/v1/query_range", params=asked)
        response.raise_for_status()
        found: list[dict[str, Any]] = response.json()["data"]["result"]
    except httpx.HTTPStatusError as error:
        raise SemcoreError(
            f"{prometheus} answered {error.response.status_code} to {query} "
            f"({error.response.text}); name the address of a Prometheus, and more than 0 minutes"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise SemcoreError(
            f"no Prometheus answers at {prometheus} ({error}); start one with "
            "deploy/prometheus/prometheus.yml, or name its address with --prometheus"
        ) from error
    return found


def _filled_in(legend: str, labels: Mapping[str, str]) -> str:
    """A legend with the values of the labels that it names in ``{{…}}``; empty where there are
    none."""
    return re.sub(r"{{\s*(\w+)\s*}}", lambda found: labels.get(found[1], ""), legend)


def _draw_panel(
    axes: Axes, graph: Graph, moments: NDArray[np.float64], curves: Sequence[Curve]
) -> None:
    times = (1000 * moments).astype("datetime64[ms]")
    axes.set_title(graph.title, loc="left", fontsize=10)
    axes.set_xlim(times[0], times[-1])
    form = "%H:%M" if moments[-1] - moments[0] >= 600 else "%H:%M:%S"
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=6))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda days, _: datetime.fromtimestamp(86400 * days, UTC).strftime(form))
    )
    axes.tick_params(labelsize=8, length=0)
    axes.grid(alpha=0.25)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    finite = [curve.values[np.isfinite(curve.values)] for curve in curves]
    highest = max((values.max() for values in finite if values.size), default=None)
    if highest is None:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "No data", transform=axes.transAxes, ha="center", color="grey")
        return
    for curve in curves:
        (line,) = axes.plot(times, curve.values, ".-", ms=2, lw=1.2, label=curve.legend)
        axes.fill_between(times, curve.values, color=line.get_color(), alpha=0.1, lw=0)
    axes.set_ylim(0, 1.05 * highest or 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, graph.unit)))
    if graph.unit == "bytes":
        power = math.ceil(math.log2(axes.get_ylim()[1] / 5))
        axes.yaxis.set_major_locator(MultipleLocator(2**power))
    axes.legend(
        loc="upper left", bbox_to_anchor=(-0.02, -0.1), ncols=3, fontsize=8, frameon=False,
        handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip


if __name__ == "__main__":
    main()
