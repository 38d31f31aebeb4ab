"""Traces: from the HTTP request down to each step of the beams, for OpenTelemetry.

Without ``SEMCORE_OTLP_ENDPOINT`` no span is made.
"""

from __future__ import annotations

import time

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.telemetry.stopwatch import Stopwatch

_tracer = trace.get_tracer("semcore")


def configure_tracing(endpoint: str) -> None:
    """Export spans to an OTLP collector over HTTP, such as ``http://host:4318/v1/traces``."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "semcore"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)


class TraceRequests:
    """ASGI middleware: a span a request, as a part of the client's trace if it has one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_configured():
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        with _tracer.start_as_current_span(
            scope["method"], propagate.extract(headers), SpanKind.SERVER
        ) as span:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            await self._app(scope, receive, watched)
            route = getattr(scope.get("route"), "path", None)
            if route is not None:
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)


def _is_configured() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def record_spans(watch: Stopwatch, **attributes: str | int | bool) -> None:
    """Add what a stopwatch has timed, up to now, to the span that is current."""
    parent = trace.get_current_span()
    if not parent.is_recording():
        return
    elapsed = watch.elapsed  # before the clock, so that no part begins too early
    began = time.time_ns() - int(1e9 * elapsed)
    parent.set_attributes({f"semcore.{name}": value for name, value in attributes.items()})
    made: dict[str, Span] = {}
    for part in sorted(watch.spans, key=lambda part: (part.path.count("/"), part.start)):
        above, _, name = part.path.rpartition("/")
        context = trace.set_span_in_context(made.get(above, parent))
        start = began + int(1e9 * part.start)
        made[part.path] = _tracer.start_span(name, context, start_time=start)
        made[part.path].end(start + int(1e9 * part.seconds))
