"""The route of re-ranking, for clients of services that have it in the same form."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Request, Response

from service.http.auth import Serving, require
from service.http.body import body_route
from service.http.disconnect import unless_gone
from service.schemas.answer import ERRORS
from service.schemas.rerank import RerankAnswer, RerankRequest

router = APIRouter(
    route_class=body_route("search"),
    tags=["search"],
    responses=ERRORS,
    dependencies=[Depends(require("search"))],
)


@router.post("/v1/rerank", response_model=RerankAnswer)
async def rerank(body: RerankRequest, request: Request, retrieval: Serving) -> Response:
    """Order documents by how well they match a query: pictures for a text, texts for a picture,
    and, where the index has a guide, other pairs too."""
    answer = await unless_gone(request, retrieval.rerank(body))
    content = await asyncio.to_thread(answer.model_dump_json, exclude_none=True)
    return Response(content, media_type="application/json")
