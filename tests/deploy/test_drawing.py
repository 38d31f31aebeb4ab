"""The drawn dashboard, from what a real Prometheus has seen of the live service."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.dates import num2date
from matplotlib.figure import Figure
from PIL import Image
from prometheus_process import prometheus_scraping, search_until_seen

from cli.service_process import free_port
from deploy.grafana.dashboard import ROWS
from deploy.grafana.drawing import draw, main, written
from semcore.errors import SemcoreError

GRAPHS = [graph for graphs in ROWS.values() for graph in graphs]


@pytest.fixture(scope="module")
def prometheus(
    service_url: str, trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    picture = next(trained.parent.glob("corpus*/images/**/*.png")).read_bytes()
    queries = [query for graph in GRAPHS for query, _ in graph.queries]
    with prometheus_scraping(service_url, tmp_path_factory.mktemp("prometheus")) as url:
        assert search_until_seen(url, service_url, picture, queries) == []
        yield url


def drawn(figure: Figure) -> dict[str, Axes]:
    """The axes by the titles of their panels, ticks in place."""
    figure.draw_without_rendering()
    return {axes.get_title("left"): axes for axes in figure.axes}


def ticks(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def legend(axes: Axes) -> list[str]:
    found = axes.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


def test_every_panel_is_drawn_with_its_data_unit_and_legend(
    prometheus: str, service_url: str
) -> None:
    end = time.time()
    figure = draw(prometheus, end - 300, end)
    panels = drawn(figure)
    assert list(panels) == [graph.title for graph in GRAPHS]
    for graph in GRAPHS:
        axes = panels[graph.title]
        values = [np.asarray(line.get_ydata(), float) for line in axes.get_lines()]
        assert any(np.isfinite(line).any() for line in values)
        names = legend(axes)
        assert len(names) == len(values) >= len(graph.queries)
        assert all(name.strip() and "{" not in name for name in names)
        unit = {"reqps": " req/s", "percentunit": "%", "s": "s", "bytes": "B", "short": ""}
        assert all(tick.endswith(unit[graph.unit]) for tick in ticks(axes))
        begins, ends = (num2date(day) for day in axes.get_xlim())
        assert (ends - begins).total_seconds() == pytest.approx(300, abs=0.1)
        assert abs(ends - datetime.fromtimestamp(end, UTC)).total_seconds() < 0.1
    assert set(legend(panels["Searches a second"])) == {
        "answered", "cached", "failed", "late", "refused"
    }  # fmt: skip
    assert "text-to-image p95" in legend(panels["A search, from its start to its answer"])
    version = httpx.get(f"{service_url}/readyz", timeout=60).json()["index_version"]
    assert version.split("+")[0] in legend(panels["Replicas by index version"])
    (memory,) = panels["Memory"].get_lines()
    assert np.nanmax(np.asarray(memory.get_ydata(), float)) > 2**20


def test_a_time_before_all_data_has_none(prometheus: str) -> None:
    end = time.time() - 7200
    for axes in drawn(draw(prometheus, end - 300, end)).values():
        assert [text.get_text() for text in axes.texts] == ["No data"]
        assert not axes.get_lines()


def test_the_command_writes_a_picture(
    prometheus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "dashboard.png"
    monkeypatch.setattr(sys, "argv", ["drawing", "--prometheus", prometheus, "--out", str(out)])
    main()
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.width < picture.height


def test_a_prometheus_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr(sys, "argv", ["drawing", "--prometheus", url])
    with pytest.raises(SystemExit) as end:
        main()
    assert str(end.value).startswith(f"semcore: no Prometheus answers at {url} (")
    assert str(end.value).endswith("--prometheus")


def test_what_is_no_prometheus_is_told_apart(service_url: str) -> None:
    with pytest.raises(SemcoreError, match=f"^{service_url} answered 404 to .* a Prometheus"):
        draw(service_url, 0, 300)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "bytes", "0 B"),
        (1.5 * 2**30, "bytes", "1.5 GiB"),
        (0.305, "percentunit", "30.5%"),
        (0.1 + 0.2, "reqps", "0.3 req/s"),
        (0.05, "s", "50 ms"),
        (0, "s", "0 s"),
        (0.5, "short", "0.5"),
        (1500, "short", "1.5 K"),
        (1e6, "short", "1 Mil"),
    ],
)
def test_values_are_written_as_grafana_writes_them(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text
