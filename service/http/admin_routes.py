"""The routes of administration: index and items."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter, Depends

from service.http.auth import Serving, require
from service.http.body import body_route
from service.schemas.admin import AddRequest, ChangeAnswer, IndexStatus, ReloadAnswer, ReloadRequest
from service.schemas.answer import ERRORS

router = APIRouter(
    route_class=body_route("admin"),
    prefix="/admin",
    tags=["administration"],
    responses=ERRORS,
    dependencies=[Depends(require("admin"))],
)


@router.get("/index")
async def index(retrieval: Serving) -> IndexStatus:
    """The current index, the one before it, and the one that is being loaded."""
    status = await asyncio.to_thread(retrieval.lifecycle.status)
    if retrieval.replicas is None:
        return status
    return status.model_copy(update={"replicas": await retrieval.replicas.reports()})


@router.post("/index/reload")
async def reload(body: ReloadRequest, retrieval: Serving) -> ReloadAnswer:
    """Serve another bundle; searches under way finish on the one before."""
    await retrieval.check()
    answer = await retrieval.lifecycle.reload(Path(body.bundle) if body.bundle else None)
    if retrieval.replicas is not None:
        await retrieval.replicas.announce()
    return answer


@router.post("/index/rollback")
async def rollback(retrieval: Serving) -> ReloadAnswer:
    """Serve the index before the current one again."""
    await retrieval.check()
    answer = await retrieval.lifecycle.rollback()
    if retrieval.replicas is not None:
        await retrieval.replicas.announce()
    return answer


@router.post("/items")
async def add_items(body: AddRequest, retrieval: Serving) -> ChangeAnswer:
    """Add items, or replace those of the same id; answered once they are on the disk."""
    await retrieval.check()
    return await retrieval.writer.add(body.items)


@router.delete("/items/{item_id:path}")
async def delete_item(item_id: str, retrieval: Serving) -> ChangeAnswer:
    """Delete an item for good; answered once that is on the disk."""
    await retrieval.check()
    return await retrieval.writer.delete(item_id)
