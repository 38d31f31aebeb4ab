"""The FastAPI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.routing import Route

from semcore.errors import SemcoreError
from service.engine.vllm_engine import VllmEngine
from service.http import admin_routes, health_routes, page_routes, rerank_routes, routes
from service.http.api_keys import Keyring
from service.http.body_limit import BodyLimit
from service.http.error_responses import error_answer, failed
from service.http.last_answer import LastAnswer
from service.http.response_cache import AnswerRepeats
from service.mcp.endpoint import McpEndpoint
from service.retrieval import EngineStarter, Retrieval
from service.settings import Settings
from service.telemetry.logs import RequestLog
from service.telemetry.tracing import TraceRequests


def create_app(settings: Settings, start_engine: EngineStarter = VllmEngine.start) -> FastAPI:
    """The application; the model loads after start, while ``/healthz`` already answers.

    Raises :class:`semcore.errors.BundleError` as it starts if the bundle cannot be served.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        retrieval = Retrieval(settings, start_engine)
        app.state.retrieval = retrieval
        starting = asyncio.create_task(retrieval.start())
        starting.add_done_callback(_noted)
        try:
            async with tools.lifespan():
                yield
        finally:
            starting.cancel()
            with suppress(BaseException):
                await starting
            await retrieval.stop()

    app = FastAPIOffline(  # the page at /docs, without anything from elsewhere
        redoc_url=None,
        title="SemCORE",
        summary="Text finds images, an image finds texts, by generated identifiers.",
        version="0.1.0",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,  # names of methods in clients
    )
    admin_key = settings.admin_key.get_secret_value() if settings.admin_key else None
    app.state.keyring = Keyring.read(settings.keys, admin_key)
    for routes_of in (routes, rerank_routes, admin_routes, health_routes, page_routes):
        app.include_router(routes_of.router)
    tools = McpEndpoint(settings, app.version)
    app.router.routes.append(Route(tools.path, tools, methods=["POST"]))
    # The last one added is the outermost.
    app.add_middleware(AnswerRepeats, state=app.state, most=settings.cache_size)
    app.add_middleware(LastAnswer, state=app.state)
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(TraceRequests)
    app.add_middleware(RequestLog)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(SemcoreError, _failed)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unforeseen)
    return app


def _noted(task: asyncio.Task[None]) -> None:
    """The failure is in the log and at /healthz already."""
    if not task.cancelled():
        task.exception()


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    return failed(error)


async def _unforeseen(_request: Request, error: Exception) -> JSONResponse:
    """The error itself goes on into the log."""
    return error_answer(500, f"the service has failed ({type(error).__name__}); its log says why")


async def _plain(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = error_answer(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = error.errors()[0]
    if first["type"] == "json_invalid":
        return error_answer(400, "the body is no valid JSON")
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    return error_answer(422, f"{place}: {first['msg']}" if place else str(first["msg"]))
