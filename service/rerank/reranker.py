"""Re-ranking: how well each of a client's documents matches a query.

The model's verification judges pairs of a text and a picture, which it was trained for. The guide's
cosine compares other pairs. One of the two scores the whole request, since their scores cannot be
compared.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Sequence

from semcore.errors import EngineError
from semcore.identifiers.told import told_words
from semcore.kind import Kind
from semcore.model.prompt import LETTERS, normalise_query
from service.engine.protocol import Engine, Picture
from service.errors import OUTCOMES, DeadlineError, InvalidQueryError, OverloadedError
from service.index.index import Index
from service.index.snapshot import Snapshot
from service.rerank.document_cosines import document_cosines
from service.rerank.document_keywords import DocumentKeywords
from service.rerank.documents import Given, named, place_of, read_documents, read_query
from service.schemas.rerank import (
    RerankAnswer,
    RerankedDocument,
    RerankInput,
    RerankRequest,
    RerankResult,
    RerankUsage,
    ScoredBy,
)
from service.search.decoder import Decoder
from service.search.gsv import list_odds, list_prompt_of, prompts_of
from service.search.query_image import Upload
from service.settings import Settings
from service.telemetry import metrics
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline

_MODEL = "semcore"


class Reranker:
    """Scores documents on the engine that searches use, in the same queue."""

    def __init__(
        self, engine: Engine, admission: Admission, decoder: Decoder, settings: Settings
    ) -> None:
        self._engine = engine
        self._admission = admission
        self._decoder = decoder
        self._settings = settings
        self._keywords = DocumentKeywords()

    async def rerank(self, index: Index, asked: RerankRequest) -> RerankAnswer:
        """The best documents, best first; equal ones in the order that they came in.

        Raises:
            InvalidQueryError: neither model nor guide can compare the query with a document.
            NotFoundError: there is no such item.
            BadImageError, ImageTooLargeError: a picture cannot be taken.
            EngineError: the engine failed.
            OverloadedError: too many searches wait.
            DeadlineError: there was no time for all documents.
        """
        try:
            answer = await self._answer(index, asked)
        except (EngineError, OverloadedError, DeadlineError) as error:
            metrics.SEARCHES.labels("rerank", OUTCOMES.get(type(error), "failed")).inc()
            raise
        metrics.SEARCHES.labels("rerank", "answered").inc()
        return answer

    async def _answer(self, index: Index, asked: RerankRequest) -> RerankAnswer:
        snapshot, settings = index.snapshot, self._settings
        deadline = Deadline.of_request(asked.timeout_ms, settings.timeout_ms)
        query = await asyncio.to_thread(read_query, asked.query, snapshot, settings)
        documents = await asyncio.to_thread(read_documents, asked.documents, snapshot, settings)
        by = _scorer(snapshot, query, documents)
        async with self._admission.turn(deadline):
            try:
                async with asyncio.timeout(deadline.left):
                    if by == "verification":
                        scores, tokens = await self._judged(index, snapshot, query, documents)
                    else:
                        scores, tokens = await self._compared(snapshot, query, documents), 0
            except TimeoutError as error:
                raise DeadlineError(
                    "the deadline passed before all documents were scored; allow the request more "
                    "time, or send fewer documents",
                    by_client=deadline.by_client,
                ) from error
        order = sorted(range(len(scores)), key=lambda place: -scores[place])
        return RerankAnswer(
            id=uuid.uuid4().hex,
            model=asked.model or _MODEL,
            results=[
                RerankResult(
                    index=place,
                    relevance_score=scores[place],
                    document=_shown(asked.documents[place]) if asked.return_documents else None,
                )
                for place in order[: asked.top_n or None]
            ],
            usage=RerankUsage(prompt_tokens=tokens, total_tokens=tokens),
            scored_by=by,
            index_version=snapshot.version,
        )

    async def _judged(
        self, index: Index, snapshot: Snapshot, query: Given, documents: Sequence[Given]
    ) -> tuple[list[float], int]:
        """The probability of each that it matches, and how many tokens the model has read."""
        told = [await self._told_of(index, document) for document in documents]
        if query.has_picture:
            texts = [document.text for document in documents]
            seen = [await self._picture(snapshot, query, 0)] * len(documents)
        else:
            texts = [query.text] * len(documents)
            each = enumerate(documents, start=1)
            seen = await asyncio.gather(*(self._picture(snapshot, one, n) for n, one in each))
        if snapshot.gsv.form == "listwise":
            one = query.has_picture
            prompts = [await list_prompt_of(self._engine, told, texts, seen, one_picture=one)]
            odds = await list_odds(self._engine, prompts[0], len(documents))
        else:
            prompts = await prompts_of(self._engine, told, texts, seen)
            odds = await self._engine.judge(prompts)
        return [_probability(one) for one in odds], sum(len(prompt.tokens) for prompt in prompts)

    async def _compared(
        self, snapshot: Snapshot, query: Given, documents: Sequence[Given]
    ) -> list[float]:
        each = enumerate((query, *documents))
        shown = await asyncio.gather(*(self._upload(one.upload, n) for n, one in each))
        cosines = await document_cosines(snapshot, query, documents, shown)
        return [(1 + min(1.0, max(-1.0, cosine))) / 2 for cosine in cosines]

    async def _told_of(self, index: Index, document: Given) -> Sequence[str]:
        """What verification is told of a document beside its picture or text."""
        told = index.bundle.gsv.told
        if document.item is not None:
            return told_words(document.item, told)
        if told == "captions" and document.has_picture and document.text:
            return normalise_query(document.text).split()
        kind: Kind = "image" if document.has_picture else "text"
        return await self._keywords.of(index.bundle, kind, document.text)

    async def _picture(self, snapshot: Snapshot, given: Given, number: int) -> Picture:
        if given.item is None:
            found = await self._upload(given.upload, number)
        else:
            found = await self._decoder.picture(snapshot, given.item)
        if found is None:
            raise InvalidQueryError(f"{place_of(number)}: the picture of this item is gone")
        return found

    async def _upload(self, upload: Upload | None, number: int) -> Picture | None:
        if upload is None:
            return None
        with named(place_of(number)):
            return await self._decoder.upload(upload)


def _scorer(snapshot: Snapshot, query: Given, documents: Sequence[Given]) -> ScoredBy:
    """Raises :class:`InvalidQueryError` if the model cannot judge all pairs, or chooses from lists
    and there are too many or few, and there is no guide."""
    odd = [
        number
        for number, document in enumerate(documents, start=1)
        if not (document.text if query.has_picture else document.has_picture)
    ]
    is_list = 2 <= len(documents) <= len(LETTERS)
    if snapshot.has_model and not odd and (is_list or snapshot.gsv.form == "pointwise"):
        return "verification"
    if snapshot.has_guide:
        return "guide"
    if not odd:
        raise InvalidQueryError(
            f"documents: the model chooses from a list of 2 to {len(LETTERS)}; send as many, or "
            "build the index with a guide"
        )
    kind = "picture" if query.has_picture else "text"
    raise InvalidQueryError(
        f"{place_of(odd[0])}: the model judges pictures for a text, and texts for a picture, and "
        f"query and document are both a {kind}; leave it out, or build the index with a guide, "
        "which compares such pairs"
    )


def _probability(odds: float) -> float:
    """Of log-odds."""
    if odds >= 0:
        return 1 / (1 + math.exp(-odds))
    return math.exp(odds) / (1 + math.exp(odds))


def _shown(document: str | RerankInput) -> RerankedDocument:
    if isinstance(document, str):
        return RerankedDocument(text=document)
    return RerankedDocument(**document.model_dump())
