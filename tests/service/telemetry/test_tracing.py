"""A trace reaches from the client's span through the request to the steps of the beams."""

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.telemetry.stopwatch import Stopwatch
from service.telemetry.tracing import record_spans

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def exported() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


async def test_spans_of_a_search(client: httpx.AsyncClient, exported: InMemorySpanExporter) -> None:
    exported.clear()
    parent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    await client.post("/search/text-to-image", json={"query": "traced boat"}, headers=parent)
    spans = {span.name: span for span in exported.get_finished_spans()}
    request = spans["POST /search/text-to-image"]
    assert format(request.context.trace_id, "032x") == TRACE
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["semcore.direction"] == "text-to-image"
    for name in ("queue", "tokenise", "beams", "items", "rank"):
        assert spans[name].parent is not None
        assert spans[name].parent.span_id == request.context.span_id
        assert request.start_time <= spans[name].start_time <= spans[name].end_time
    assert spans["engine queue"].parent.span_id == spans["beams"].context.span_id


def test_without_a_trace_nothing_is_recorded(exported: InMemorySpanExporter) -> None:
    exported.clear()
    watch = Stopwatch()
    with watch.span("beams"):
        pass
    record_spans(watch)
    assert exported.get_finished_spans() == ()
