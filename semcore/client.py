"""A client of the service, for programs: ``SemcoreClient``, and ``AsyncSemcoreClient`` for asyncio.

Both wait and ask again where the service is full, is starting, or does not answer: as long as it
says, and as often as they are told. Answers are the service's own, as its OpenAPI schema has them.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypedDict, Unpack
from urllib.parse import quote

import httpx

from semcore.errors import SemcoreError
from semcore.facets import FacetOptions, Facets, Sort
from semcore.kind import Kind

URL = "http://127.0.0.1:8080"
_AGAIN = (429, 502, 503)
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_LONGEST_WAIT = 30.0  # seconds

Query = str | bytes | Path
"""A text, or an item's id; the bytes of a picture, or the path of one."""

Document = Query | Mapping[str, Any]
"""The same, or what the service takes: ``{"id": …}``, say."""


class RankingOptions(TypedDict, total=False):
    """Of every search."""

    top_k: int
    timeout_ms: int
    cursor: str
    filter: Mapping[str, Any]
    diversity: float
    fold_duplicates: bool
    group_by: str
    group_size: int
    sort: Sort
    facets: Sequence[str]


class Options(RankingOptions, total=False):
    beam_width: int
    verify: Literal["auto", "always", "never"]
    guide: Literal["auto", "none", "only"]
    min_score: float
    explain: bool
    constrained: bool
    commonness: bool
    describe: bool
    trace: Sequence[str]


class SimilarOptions(RankingOptions, total=False):
    kind: Kind


class FoundIdentifier(TypedDict):
    global_id: int | None
    keywords: list[str]
    text: str


class FoundItem(TypedDict):
    """``logprob``, ``commonness``: of the identifier after the query and without it, in nats;
    ``cosine``: between the guide's vectors of query and item; ``score``: what candidates are
    ordered by before verification; ``odds``: in nats, that it matches, or that it is the one of a
    list which does; ``description``: by how much the picture makes the text likelier, in nats;
    ``probability``: that it is right, where the index is calibrated; ``image``: path of the picture
    at the service; ``duplicates``: ids of those that were folded under this one."""

    id: str
    rank: int
    beam_rank: int
    identifier: FoundIdentifier
    logprob: float | None
    commonness: float | None
    cosine: float | None
    score: float
    verification: float | None
    odds: float | None
    description: float | None
    probability: float | None
    image: str | None
    text: str | None
    metadata: dict[str, Any]
    path: list[dict[str, Any]]
    duplicates: list[str]
    duplicate_count: int


class Answer(TypedDict):
    """``timings``: milliseconds of each stage; ``cursor``: for the next page, if there is one;
    ``considered``: candidates that were grouped or sorted; ``facets``: where they were asked for.
    """

    items: list[FoundItem]
    index_version: str
    cached: bool
    verified: bool
    degraded: dict[str, int] | None
    cursor: str | None
    considered: int | None
    facets: Facets | None
    illegal: int
    timings: dict[str, float]
    traces: list[dict[str, Any]]


class Ranked(TypedDict):
    """``index``: place of the document among those sent; ``relevance_score``: 0 to 1."""

    index: int
    relevance_score: float


class ServiceError(SemcoreError):
    """The service said no; ``status`` is that of HTTP, 0 where nothing answered."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class SemcoreClient:
    """Each method raises :class:`ServiceError` where the service says no, or nothing answers."""

    def __init__(
        self, url: str = URL, key: str | None = None, *, timeout: float = 60.0, retries: int = 4
    ) -> None:
        """``timeout``: seconds until an answer counts as lost; ``retries``: of a request."""
        self._http = httpx.Client(base_url=url, headers=_headers(key), timeout=timeout)
        self._retries = retries

    def search(self, query: Query, **options: Unpack[Options]) -> Answer:
        """Images for a text, or texts for a picture."""
        answer: Answer = self._ask("POST", *_search(query, options)).json()
        return answer

    def similar(self, query: Query, **options: Unpack[SimilarOptions]) -> Answer:
        """Items like that of an id, or like a picture."""
        answer: Answer = self._ask("POST", *_similar(query, options)).json()
        return answer

    def facets(self, fields: Iterable[str], **options: Unpack[FacetOptions]) -> Facets:
        """The values of metadata fields, counted over all items that pass the filter."""
        answer: Facets = self._ask("POST", "/facets", {"fields": list(fields), **options}).json()
        return answer

    def rerank(
        self, query: Document, documents: Iterable[Document], top_n: int | None = None
    ) -> list[Ranked]:
        """Documents by how well they match a query, best first."""
        answer = self._ask("POST", "/v1/rerank", _reranking(query, documents, top_n))
        ranked: list[Ranked] = answer.json()["results"]
        return ranked

    def picture(self, item_id: str) -> bytes:
        """The file of an image item."""
        return self._ask("GET", f"{_path(item_id)}/image").content

    def add(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Add or replace items; needs a key for administration, as deleting them does."""
        self._ask("POST", "/admin/items", {"items": list(items)})

    def delete(self, item_id: str) -> None:
        self._ask("DELETE", f"/admin{_path(item_id)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        attempts = _Attempts(self._retries)
        while True:
            try:
                answer = self._http.request(method, path, json=body)
            except httpx.TransportError as error:
                wait = attempts.failed(error)
            else:
                told = attempts.answered(answer)
                if told is None:
                    return answer
                wait = told
            time.sleep(wait)


class AsyncSemcoreClient:
    """The same for asyncio."""

    def __init__(
        self, url: str = URL, key: str | None = None, *, timeout: float = 60.0, retries: int = 4
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(key), timeout=timeout)
        self._retries = retries

    async def search(self, query: Query, **options: Unpack[Options]) -> Answer:
        path, body = await asyncio.to_thread(_search, query, options)
        answer: Answer = (await self._ask("POST", path, body)).json()
        return answer

    async def similar(self, query: Query, **options: Unpack[SimilarOptions]) -> Answer:
        path, body = await asyncio.to_thread(_similar, query, options)
        answer: Answer = (await self._ask("POST", path, body)).json()
        return answer

    async def facets(self, fields: Iterable[str], **options: Unpack[FacetOptions]) -> Facets:
        answer = await self._ask("POST", "/facets", {"fields": list(fields), **options})
        told: Facets = answer.json()
        return told

    async def rerank(
        self, query: Document, documents: Iterable[Document], top_n: int | None = None
    ) -> list[Ranked]:
        body = await asyncio.to_thread(_reranking, query, documents, top_n)
        ranked: list[Ranked] = (await self._ask("POST", "/v1/rerank", body)).json()["results"]
        return ranked

    async def picture(self, item_id: str) -> bytes:
        return (await self._ask("GET", f"{_path(item_id)}/image")).content

    async def add(self, items: Iterable[Mapping[str, Any]]) -> None:
        await self._ask("POST", "/admin/items", {"items": list(items)})

    async def delete(self, item_id: str) -> None:
        await self._ask("DELETE", f"/admin{_path(item_id)}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        attempts = _Attempts(self._retries)
        while True:
            try:
                answer = await self._http.request(method, path, json=body)
            except httpx.TransportError as error:
                wait = attempts.failed(error)
            else:
                told = attempts.answered(answer)
                if told is None:
                    return answer
                wait = told
            await asyncio.sleep(wait)


class _Attempts:
    """What to do after each attempt at a request, whoever waits in between."""

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._made = 0
        self._lost = False

    def failed(self, error: httpx.TransportError) -> float:
        """Nothing answered: seconds until the next attempt. Raises :class:`ServiceError` after
        the last one."""
        if self._made == self._retries:
            raise ServiceError(f"the service does not answer: {error}", 0) from error
        # Nothing was sent where there was no connection.
        self._lost |= not isinstance(error, _NOT_CONNECTED)
        return self._wait("")

    def answered(self, answer: httpx.Response) -> float | None:
        """Seconds until the next attempt, None if this answer is the one. Raises
        :class:`ServiceError` if the service says no."""
        if answer.status_code in _AGAIN and self._made < self._retries:
            # A proxy's, whose service ended as it answered.
            self._lost |= answer.status_code == httpx.codes.BAD_GATEWAY
            return self._wait(answer.headers.get("Retry-After", ""))
        # The answer to an earlier attempt may be lost, and what it was to delete be gone.
        gone = answer.status_code == httpx.codes.NOT_FOUND and answer.request.method == "DELETE"
        if answer.is_success or (self._lost and gone):
            return None
        try:
            sentence = str(answer.json()["error"])
        except (ValueError, KeyError, TypeError):
            sentence = f"the service answered {answer.status_code}: {answer.text[:200]}"
        raise ServiceError(sentence, answer.status_code)

    def _wait(self, told: str) -> float:
        self._made += 1
        # What is told may be a date as well, which proxies send.
        return min(float(told) if told.isdigit() else 2.0 ** (self._made - 1), _LONGEST_WAIT)


def _search(query: Query, options: Options) -> tuple[str, dict[str, Any]]:
    if isinstance(query, str):
        return "/search/text-to-image", {"query": query, **options}
    return "/search/image-to-text", {"image": _base64(query), **options}


def _similar(query: Query, options: SimilarOptions) -> tuple[str, dict[str, Any]]:
    given = {"id": query} if isinstance(query, str) else {"image": _base64(query)}
    return "/search/similar", {**given, **options}


def _reranking(query: Document, documents: Iterable[Document], top_n: int | None) -> dict[str, Any]:
    return {"query": _sent(query), "documents": [_sent(one) for one in documents], "top_n": top_n}


def _sent(document: Document) -> str | Mapping[str, Any]:
    if isinstance(document, bytes | Path):
        return {"image": _base64(document)}
    return document


def _base64(picture: bytes | Path) -> str:
    content = picture if isinstance(picture, bytes) else picture.read_bytes()
    return base64.b64encode(content).decode()


def _path(item_id: str) -> str:
    return f"/items/{quote(item_id, safe='')}"


def _headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"X-API-Key": key}
