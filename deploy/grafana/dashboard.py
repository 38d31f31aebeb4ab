"""The dashboard as code: ``python -m deploy.grafana.dashboard`` writes its JSON.

Four rows, in the order of the questions that one has at night: are searches answered, where does
the time go, is what they find still right, and what serves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FILE = Path(__file__).parent / "dashboards" / "semcore.json"
_SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
_RATE = "5m"


@dataclass(frozen=True, slots=True)
class Graph:
    """A panel: queries of Prometheus with their legends, and what they count."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    description: str = ""


def _most(gauge: str) -> str:
    """The steps of a graph are longer than a burst lasts: its height at each step would miss it."""
    return f"sum(max_over_time({gauge}[1m]))"


ROWS: dict[str, Sequence[Graph]] = {
    "Are searches answered?": (
        Graph(
            "Searches a second",
            [(f"sum by (outcome) (rate(semcore_searches_total[{_RATE}]))", "{{outcome}}")],
            "reqps",
            "answered, cached, failed, refused (queue full) and late (deadline passed)",
        ),
        Graph(
            "Failed, refused and late",
            [("semcore:search_errors:share", "share of searches")],
            "percentunit",
        ),
        Graph(
            "Searches under way, most in a minute",
            [
                (_most("semcore_searches_in_flight"), "under way"),
                (_most("semcore_queue_depth"), "waiting for a turn"),
            ],
            description="the queue is what replicas are scaled by",
        ),
        Graph(
            "Degraded answers",
            [("semcore:degraded:share", "{{direction}}")],
            "percentunit",
            "answers with fewer beams or verified candidates, for lack of time",
        ),
    ),
    "Where does the time go?": (
        Graph(
            "A search, from its start to its answer",
            [(f"semcore:search_seconds:p{at}", f"{{{{direction}}}} p{at}") for at in (50, 95, 99)],
            "s",
        ),
        Graph(
            "Stages, 95th percentile",
            [
                (
                    "histogram_quantile(0.95, sum by (le, stage) "
                    f"(rate(semcore_stage_seconds_bucket[{_RATE}])))",
                    "{{stage}}",
                )
            ],
            "s",
        ),
        Graph(
            "Answers from the cache",
            [
                ("semcore:cache_hits:share", "hits"),
                ("semcore:cache_shared:share", "shared flights"),
            ],
            "percentunit",
        ),
        Graph(
            "vLLM: requests in the batch, most in a minute",
            [
                (_most("vllm:num_requests_running"), "running"),
                (_most("vllm:num_requests_waiting"), "waiting"),
            ],
            description="each beam is a request",
        ),
        Graph(
            "vLLM: cache of keys and values, most in a minute",
            [("max(max_over_time(vllm:kv_cache_usage_perc[1m]))", "in use")],
            "percentunit",
        ),
        Graph(
            "vLLM: prompt tokens a second",
            [(f"sum(rate(vllm:prompt_tokens_total[{_RATE}]))", "prompt")],
        ),
    ),
    "Is what they find right?": (
        Graph(
            "Illegal identifiers",
            [(f"sum(increase(semcore_illegal_identifiers_total[{_RATE}]))", "spelled")],
            description="must stay 0 where all searches are constrained",
        ),
        Graph(
            "Beams that end",
            [("semcore:beam_survival:mean", "{{direction}}")],
            "percentunit",
            "identifiers found, of those that there were beams for",
        ),
        Graph(
            "Canary recall",
            [("semcore_canary_recall", "{{direction}} {{instance}}")],
            "percentunit",
            "of the queries that the bundle carries, when it was loaded",
        ),
        Graph(
            "First item changed by verification",
            [("semcore:gsv_flips:share", "share of verified searches")],
            "percentunit",
        ),
    ),
    "What serves?": (
        Graph(
            "Replicas by index version",
            [("count by (version) (semcore_index_info == 1)", "{{version}}")],
        ),
        Graph("Ready replicas", [("sum(semcore_ready)", "ready")]),
        Graph(
            "Reloads in the last hour",
            [("sum by (outcome) (increase(semcore_index_reloads_total[1h]))", "{{outcome}}")],
        ),
        Graph(
            "Items changed a minute",
            [(f"60 * sum by (change) (rate(semcore_item_changes_total[{_RATE}]))", "{{change}}")],
        ),
        Graph(
            "Memory",
            [("semcore_memory_bytes", "{{instance}}")],
            "bytes",
            "resident, the engine included",
        ),
    ),
}


def dashboard() -> str:
    """The JSON that Grafana is provisioned with."""
    board = Dashboard("SemCORE").uid("semcore").refresh("10s").time("now-1h", "now").readonly()
    for title, graphs in ROWS.items():
        board = board.with_row(Row(title))
        for graph in graphs:
            board = board.with_panel(_panel(graph))
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def _panel(graph: Graph) -> Panel:
    panel = Panel().title(graph.title).description(graph.description).unit(graph.unit)
    panel = panel.datasource(_SOURCE).span(8).height(7).min(0).fill_opacity(10)
    for number, (query, legend) in enumerate(graph.queries):
        target = Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number))
        panel = panel.with_target(target)
    return panel


if __name__ == "__main__":
    FILE.write_text(dashboard())
