"""The routes that machines ask: is it alive, is it ready, what does it measure."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.http.auth import Serving
from service.schemas.answer import ERRORS

router = APIRouter(tags=["probes"], responses=ERRORS)


@router.get("/healthz")
async def healthz(retrieval: Serving) -> dict[str, str]:
    """200 unless the engine has died or could not start."""
    if retrieval.failure is not None:
        raise retrieval.failure
    if retrieval.ready.is_set():
        await retrieval.check()
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(retrieval: Serving) -> dict[str, str]:
    """200 once searches are served without delay, that is, from the warm-up until the service is
    told to end."""
    await retrieval.check_ready()
    return {"status": "ready", "index_version": retrieval.lifecycle.current.snapshot.version}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics() -> PlainTextResponse:
    """Metrics in Prometheus's text format."""
    return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)
