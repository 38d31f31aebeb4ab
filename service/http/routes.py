"""The routes of searches and items."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from semcore.bundle.filter import Filter
from semcore.bundle.item import Item
from semcore.errors import SemcoreError
from semcore.kind import Kind
from semcore.pictures.picture_source import PictureSource
from service.errors import BadImageError, InvalidQueryError, NotFoundError
from service.http.auth import Serving, require
from service.http.body import aside, body_route, is_json, read_body, read_json
from service.http.disconnect import unless_gone
from service.http.error_responses import status_of
from service.http.response_cache import remember_question, was_looked_up
from service.index.identifier_tree import TreeAnswer
from service.index.renditions import SIZES
from service.retrieval import Retrieval
from service.schemas.answer import (
    ERRORS,
    BatchAnswer,
    BatchQuery,
    ErrorAnswer,
    ImageQuery,
    ItemAnswer,
    RankingOptions,
    SearchAnswer,
    SearchOptions,
    SimilarOptions,
    SimilarQuery,
    TextQuery,
    rendered,
)
from service.schemas.item_answer import item_answer
from service.schemas.metadata import FacetAnswer, FacetQuery, Sort
from service.search.query_image import bounded, read_base64
from service.search.request import Question
from service.settings import Settings

router = APIRouter(
    route_class=body_route("search"),
    tags=["search"],
    responses=ERRORS,
    dependencies=[Depends(require("search"))],
)

Options = TypeVar("Options", bound=RankingOptions)

_FIELDS = 50  # of a form
_SIZE = f"most pixels of the longer side, rounded up to one of {', '.join(map(str, SIZES))}"
# Whatever a corpus holds must not act as a page of this origin, which keeps keys.
_PICTURE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}
_REFERENCE = "#/components/schemas/{model}"


def _body(said: dict[str, Any], form: str, options: type[RankingOptions]) -> dict[str, Any]:
    """The contract of a body in JSON, or of a form of this title with a picture and options."""
    fields = options.model_json_schema(ref_template=_REFERENCE)["properties"]
    sent = {
        "title": form,
        "type": "object",
        "required": ["image"],
        "properties": {"image": {"type": "string", "format": "binary"}, **fields},
    }
    content = {"application/json": {"schema": said}, "multipart/form-data": {"schema": sent}}
    return {"requestBody": {"required": True, "content": content}}


_IMAGE_BODY = _body({"$ref": _REFERENCE.format(model="ImageQuery")}, "ImageForm", SearchOptions)
_SIMILAR_QUERY = SimilarQuery.model_json_schema(ref_template=_REFERENCE)
_SIMILAR_QUERY.pop("$defs")  # they are among the components
_SIMILAR_BODY = _body(_SIMILAR_QUERY, "SimilarForm", SimilarOptions)


@router.post("/search/text-to-image", response_model=SearchAnswer)
async def text_to_image(query: TextQuery, request: Request, retrieval: Serving) -> Response:
    """Find images by a text."""
    asked = retrieval.question("text-to-image", query.query, query)
    return await _answered(request, retrieval, asked, query.query)


@router.post("/search/image-to-text", response_model=SearchAnswer, openapi_extra=_IMAGE_BODY)
async def image_to_text(request: Request, retrieval: Serving) -> Response:
    """Find texts by an image: a multipart upload ``image``, or JSON with the image in base64."""
    content, options = await _image_query(request, retrieval.settings)
    asked = await aside(retrieval.question, "image-to-text", content, options)
    return await _answered(request, retrieval, asked, content)


@router.post("/search/similar", response_model=SearchAnswer, openapi_extra=_SIMILAR_BODY)
async def similar(request: Request, retrieval: Serving) -> Response:
    """Find items like one of the index, by its `id`, or like a picture: a multipart upload `image`,
    or JSON with the image in base64."""
    query, options = await _similar_query(request, retrieval.settings)
    asked = await aside(retrieval.similar_question, query, options)
    return await _answered(request, retrieval, asked, query)


@router.post("/search/batch", response_model=BatchAnswer)
async def batch(body: BatchQuery, request: Request, retrieval: Serving) -> Response:
    """Many searches in one request, answered in the same order, each by itself."""
    turns = asyncio.Semaphore(retrieval.settings.concurrent_searches)

    async def one(query: TextQuery | ImageQuery) -> bytes:
        async with turns:
            try:
                if isinstance(query, TextQuery):
                    asked = retrieval.question("text-to-image", query.query, query)
                    return await retrieval.search(asked, query.query)
                content = await aside(_decoded, query.image, retrieval.settings)
                asked = await aside(retrieval.question, "image-to-text", content, query)
                return await retrieval.search(asked, content)
            except SemcoreError as error:
                failed = ErrorAnswer(error=str(error), status=status_of(error))
                return failed.model_dump_json().encode()

    found = await unless_gone(request, asyncio.gather(*map(one, body.queries)))
    return _json(b'{"answers":[%s]}' % b",".join(found))


@router.post("/facets")
async def facets(body: FacetQuery, request: Request, retrieval: Serving) -> FacetAnswer:
    """Count the values of metadata fields over all items that pass a filter."""
    return await unless_gone(request, retrieval.facets(body))


@router.get("/identifiers", response_model=TreeAnswer)
async def identifiers(
    retrieval: Serving,
    kind: Kind = "image",
    beginning: Annotated[str, Query(max_length=500, description="'<g17> boat', say")] = "",
    branches: Annotated[int, Query(ge=1, le=5000, description="most to tell")] = 200,
    items: Annotated[int, Query(ge=0, le=200, description="most to show")] = 24,
) -> Response:
    """What follows a beginning of identifiers: clusters, then words, then items."""
    answer = await retrieval.tree(kind, " ".join(beginning.split()), branches, items)
    return _json(await asyncio.to_thread(rendered, answer))


@router.get("/items/{item_id:path}/image", response_class=FileResponse)
async def item_image(
    item_id: str,
    retrieval: Serving,
    size: Annotated[int | None, Query(ge=1, le=SIZES[-1], description=_SIZE)] = None,
) -> Response:
    """The picture of an image item: its file, or a copy that is smaller as asked for, or that
    takes the place of a file that browsers do not show."""
    _, source = await _found(retrieval, item_id)
    if source is None:
        raise NotFoundError(f"the item {item_id!r} has no picture")
    shown = await retrieval.renditions.of(source, size)
    if isinstance(shown.content, Path):
        return FileResponse(shown.content, media_type=shown.media_type, headers=_PICTURE_HEADERS)
    return Response(shown.content, media_type=shown.media_type, headers=_PICTURE_HEADERS)


@router.get("/items/{item_id:path}")
async def item(item_id: str, retrieval: Serving) -> ItemAnswer:
    """One item with its identifier."""
    found, _ = await _found(retrieval, item_id)
    return item_answer(found)


async def _answered(
    request: Request, retrieval: Retrieval, asked: Question, query: str | bytes
) -> Response:
    waits, looked = partial(unless_gone, request), was_looked_up(request)
    answer = await retrieval.search(asked, query, waits, looked=looked)
    remember_question(request, asked)
    return _json(answer)


def _json(answer: bytes) -> Response:
    """An answer as it lies in the cache, which reads and writes nothing once more."""
    return Response(answer, media_type="application/json")


async def _found(retrieval: Retrieval, item_id: str) -> tuple[Item, PictureSource | None]:
    found = await retrieval.item(item_id)
    if found is None:
        raise NotFoundError(f"there is no item {item_id!r}")
    return found


async def _image_query(request: Request, settings: Settings) -> tuple[bytes, SearchOptions]:
    if is_json(request):
        return await read_body(request, partial(_from_json, settings))
    return await _from_form(request, settings, SearchOptions)


async def _similar_query(
    request: Request, settings: Settings
) -> tuple[str | bytes, SimilarOptions]:
    if is_json(request):
        return await read_body(request, partial(_similar_from_json, settings))
    return await _from_form(request, settings, SimilarOptions)


async def _from_form(
    request: Request, settings: Settings, model: type[Options]
) -> tuple[bytes, Options]:
    """The picture and the options of a form."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "multipart/form-data":
        raise BadImageError("send multipart/form-data or application/json")
    most = settings.max_body_bytes
    async with request.form(max_files=1, max_fields=_FIELDS, max_part_size=most) as form:
        upload = form.get("image")
        if not isinstance(upload, UploadFile):
            raise InvalidQueryError("the form lacks the file 'image'")
        content = await upload.read()
        fields: dict[str, Any] = dict(form.items())
        del fields["image"]
        for name in {"trace", "facets"} & fields.keys():
            fields[name] = form.getlist(name)
    return bounded(content, settings.max_image_bytes), await aside(_options, model, fields)


def _from_json(settings: Settings, body: bytes) -> tuple[bytes, SearchOptions]:
    query = read_json(ImageQuery, body)
    return _decoded(query.image, settings), _without_picture(query, SearchOptions)


def _similar_from_json(settings: Settings, body: bytes) -> tuple[str | bytes, SimilarOptions]:
    query = read_json(SimilarQuery, body)
    options = _without_picture(query, SimilarOptions)
    if query.id is not None and query.image is None:
        return query.id, options
    if query.image is None or query.id is not None:
        raise InvalidQueryError("send either the id of an item, or an image")
    return _decoded(query.image, settings), options


def _without_picture(query: RankingOptions, model: type[Options]) -> Options:
    """The options alone: a picture in base64 is long."""
    known = {name: getattr(query, name) for name in model.model_fields}
    return cast(Options, model.model_construct(**known))


def _options(model: type[Options], fields: dict[str, Any]) -> Options:
    for name, said in (("filter", Filter), ("sort", Sort)):
        if name in fields:
            fields[name] = read_json(said, str(fields[name]).encode())
    try:
        return model.model_validate(fields, strict=False)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_context=False)) from error


def _decoded(image: str, settings: Settings) -> bytes:
    return read_base64(image, settings.max_image_bytes)
