"""The HTTP routes."""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, PlainTextResponse
from fastapi.security import APIKeyHeader
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from semcore.item import Item
from service.admin import AddRequest, ChangeAnswer, IndexStatus, ReloadAnswer, ReloadRequest
from service.answer import (
    ERRORS,
    ImageQuery,
    ItemAnswer,
    SearchAnswer,
    SearchOptions,
    TextQuery,
)
from service.departure import unless_gone
from service.errors import (
    BadImageError,
    ForbiddenError,
    ImageTooLargeError,
    InvalidQueryError,
    NotFoundError,
)
from service.retrieval import Retrieval
from service.search import item_answer

router = APIRouter(responses=ERRORS)
_admin_key = APIKeyHeader(name="X-Admin-Key", auto_error=False)


def _retrieval(request: Request) -> Retrieval:
    retrieval: Retrieval = request.app.state.retrieval
    return retrieval


_Retrieval = Annotated[Retrieval, Depends(_retrieval)]


def _require_admin(
    retrieval: _Retrieval, key: Annotated[str | None, Depends(_admin_key)] = None
) -> None:
    expected = retrieval.settings.admin_key
    if expected is None:
        raise ForbiddenError("the admin routes are closed; set SEMCORE_ADMIN_KEY to open them")
    if not hmac.compare_digest((key or "").encode(), expected.get_secret_value().encode()):
        raise ForbiddenError("the admin key is missing or wrong; send it as X-Admin-Key")


admin = APIRouter(prefix="/admin", responses=ERRORS, dependencies=[Depends(_require_admin)])

_IMAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ImageQuery.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {
                        "image": {"type": "string", "format": "binary"},
                        **SearchOptions.model_json_schema()["properties"],
                    },
                }
            },
        },
    }
}


@router.post("/search/text-to-image", response_model=SearchAnswer)
async def text_to_image(query: TextQuery, request: Request, retrieval: _Retrieval) -> Response:
    """Find images by a text."""
    waits = partial(unless_gone, request)
    return _json(await retrieval.search("text-to-image", query.query, query, waits))


@router.post("/search/image-to-text", response_model=SearchAnswer, openapi_extra=_IMAGE_BODY)
async def image_to_text(request: Request, retrieval: _Retrieval) -> Response:
    """Find texts by an image: a multipart upload ``image``, or JSON with the image in base64."""
    content, options = await _image_query(request, retrieval)
    waits = partial(unless_gone, request)
    return _json(await retrieval.search("image-to-text", content, options, waits))


@router.get("/items/{item_id:path}/image", response_class=FileResponse)
async def item_image(item_id: str, retrieval: _Retrieval) -> FileResponse:
    """The picture of an image item."""
    _, path = await _found(retrieval, item_id)
    if path is None:
        raise NotFoundError(f"the item {item_id!r} has no picture")
    return FileResponse(path)


@router.get("/items/{item_id:path}")
async def item(item_id: str, retrieval: _Retrieval) -> ItemAnswer:
    """One item with its identifier."""
    found, _ = await _found(retrieval, item_id)
    return item_answer(found)


@admin.get("/index")
async def index(retrieval: _Retrieval) -> IndexStatus:
    """The current index, the one before it, and the one that is being loaded."""
    return retrieval.lifecycle.status()


@admin.post("/index/reload")
async def reload(body: ReloadRequest, retrieval: _Retrieval) -> ReloadAnswer:
    """Serve another bundle; searches under way finish on the one before."""
    await retrieval.check()
    return await retrieval.lifecycle.reload(Path(body.bundle) if body.bundle else None)


@admin.post("/index/rollback")
async def rollback(retrieval: _Retrieval) -> ReloadAnswer:
    """Serve the index before the current one again."""
    await retrieval.check()
    return await retrieval.lifecycle.rollback()


@admin.post("/items")
async def add_items(body: AddRequest, retrieval: _Retrieval) -> ChangeAnswer:
    """Add items, or replace those of the same id; answered once they are on the disk."""
    await retrieval.check()
    return await retrieval.writer.add(body.items)


@admin.delete("/items/{item_id:path}")
async def delete_item(item_id: str, retrieval: _Retrieval) -> ChangeAnswer:
    """Delete an item for good; answered once that is on the disk."""
    await retrieval.check()
    return await retrieval.writer.delete(item_id)


@router.get("/healthz")
async def healthz(retrieval: _Retrieval) -> dict[str, str]:
    """200 unless the engine has died or could not start."""
    if retrieval.failure is not None:
        raise retrieval.failure
    if retrieval.ready.is_set():
        await retrieval.check()
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(retrieval: _Retrieval) -> dict[str, str]:
    """200 once searches are served without delay, that is, after the warm-up."""
    await retrieval.check()
    return {"status": "ready", "index_version": retrieval.lifecycle.current.snapshot.version}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics() -> PlainTextResponse:
    """Metrics in Prometheus's text format."""
    return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _json(answer: bytes) -> Response:
    """An answer as it lies in the cache, which reads and writes nothing once more."""
    return Response(answer, media_type="application/json")


async def _found(retrieval: Retrieval, item_id: str) -> tuple[Item, Path | None]:
    found = await retrieval.item(item_id)
    if found is None:
        raise NotFoundError(f"there is no item {item_id!r}")
    return found


async def _image_query(request: Request, retrieval: Retrieval) -> tuple[bytes, SearchOptions]:
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    options: SearchOptions
    try:
        if kind == "multipart/form-data":
            async with request.form(max_files=1) as form:
                upload = form.get("image")
                if not isinstance(upload, UploadFile):
                    raise InvalidQueryError("the form lacks the file 'image'")
                content = await upload.read()
                fields: dict[str, Any] = dict(form.items())
                del fields["image"]
                if "trace" in fields:
                    fields["trace"] = form.getlist("trace")
                options = SearchOptions.model_validate(fields)
        elif kind == "application/json":
            options = query = ImageQuery.model_validate_json(await request.body())
            content = base64.b64decode(query.image, validate=True)
        else:
            raise BadImageError("send multipart/form-data or application/json")
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_context=False)) from error
    except binascii.Error as error:
        raise InvalidQueryError(f"image is no base64: {error}") from error
    if len(content) > retrieval.settings.max_image_bytes:
        limit = retrieval.settings.max_image_bytes
        raise ImageTooLargeError(f"the image has {len(content)} bytes and may have {limit}")
    return content, options
