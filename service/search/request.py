"""Questions: what an answer depends on, beside the index and the model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

from semcore.kind import Direction
from semcore.model.prompt import PROMPT_VERSION, normalise_query
from service.errors import InvalidQueryError
from service.metadata.arrangement import Arrangement
from service.schemas.answer import RankingOptions, SearchOptions, SimilarOptions
from service.search.diversity import Diversity
from service.search.query_image import content_key
from service.search.searcher import SearchParameters
from service.search.similar import SimilarParameters
from service.settings import Settings

_TOP_K = 10  # items, unless a query says


@dataclass(frozen=True, slots=True)
class Question:
    """Attributes:
    direction: "similar" of a search for items like one, which may be of either kind.
    name: of the query: the text in one line, the hash of the picture's file, or the item's id.
    cursor: where the page begins that is asked for; the first one if None.
    profile, trace: what is to be told of this one search.
    """

    direction: Direction | Literal["similar"]
    name: str
    parameters: SearchParameters | SimilarParameters
    timeout_ms: int | None
    cursor: str | None
    profile: bool
    trace: tuple[str, ...]
    _keys: dict[tuple[str, str, str], str] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def is_common(self) -> bool:
        """Whether the answer may be another's."""
        return not self.profile and not self.trace

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that are the same for all pages."""
        return _digest(self.direction, self.name, replace(self.parameters, offset=0))[:16]

    def at(self, offset: int) -> Question:
        """The same, with the items after the first ``offset``."""
        return replace(self, parameters=replace(self.parameters, offset=offset))

    def key(self, index_version: str, model: str, guide: str) -> str:
        """Of the answer in the cache: SHA-256, in hex, of all that it depends on.

        Args:
            model, guide: their fingerprints.
        """
        of = index_version, model, guide
        key = self._keys.get(of)
        if key is None:
            key = _digest(of, PROMPT_VERSION, self.direction, self.name, self.parameters)
            self._keys.clear()  # of the index before
            self._keys[of] = key
        return key


def question(
    direction: Direction, query: str | bytes, options: SearchOptions, settings: Settings
) -> Question:
    """What a client asks, with the service's settings for all that it leaves out.

    Args:
        query: a text, or the bytes of a picture's file.

    Raises :class:`InvalidQueryError` beyond what the settings allow.
    """
    top_k = _top_k(options, settings)
    beam_width = options.beam_width or settings.beam_width
    if beam_width > settings.max_beam_width:
        raise InvalidQueryError(f"beam_width may be at most {settings.max_beam_width}")
    name = checked_text(query, settings) if isinstance(query, str) else content_key(query)
    parameters = SearchParameters(
        top_k=top_k,
        beam_width=max(beam_width, min(top_k, settings.max_beam_width)),
        verify=options.verify,
        constrained=options.constrained,
        wanted=options.filter,
        commonness=options.commonness,
        describe=options.describe,
        explain=options.explain,
        guide=settings.guide if options.guide == "auto" else options.guide,
        diversity=_diversity(options),
        arrangement=_arrangement(options),
        facets=tuple(options.facets),
        min_score=options.min_score,
    )
    return Question(
        direction,
        name,
        parameters,
        options.timeout_ms,
        options.cursor,
        options.profile,
        tuple(options.trace),
    )


def checked_text(query: str, settings: Settings) -> str:
    """A text that asks, in one line.

    Raises :class:`InvalidQueryError` if it has no words, or more than the settings allow.
    """
    if len(query) > settings.max_query_characters:
        raise InvalidQueryError(
            f"query has {len(query)} characters and may have at most "
            f"{settings.max_query_characters}"
        )
    text = normalise_query(query)
    words = len(text.split())
    if not words:
        raise InvalidQueryError("query holds no words")
    if words > settings.max_query_words:
        raise InvalidQueryError(
            f"query has {words} words and may have at most {settings.max_query_words}"
        )
    return text


def similar_question(query: str | bytes, options: SimilarOptions, settings: Settings) -> Question:
    """What a client asks that wants items like one.

    Args:
        query: the id of an item, or the bytes of a picture's file.

    Raises :class:`InvalidQueryError` beyond what the settings allow.
    """
    parameters = SimilarParameters(
        top_k=_top_k(options, settings),
        kind=options.kind,
        wanted=options.filter,
        diversity=_diversity(options),
        arrangement=_arrangement(options),
        facets=tuple(options.facets),
    )
    # No hash of a file has a space.
    name = f"item {query}" if isinstance(query, str) else content_key(query)
    return Question(
        "similar", name, parameters, options.timeout_ms, options.cursor, profile=False, trace=()
    )


def _top_k(options: RankingOptions, settings: Settings) -> int:
    top_k = options.top_k or min(_TOP_K, settings.max_top_k)
    if top_k > settings.max_top_k:
        raise InvalidQueryError(f"top_k may be at most {settings.max_top_k}")
    return top_k


def _diversity(options: RankingOptions) -> Diversity:
    return Diversity(options.diversity, options.fold_duplicates)


def _arrangement(options: RankingOptions) -> Arrangement:
    if options.group_size is not None and options.group_by is None:
        raise InvalidQueryError("group_size is of group_by; name a field with that, too")
    if options.sort is not None and options.diversity > 0:
        raise InvalidQueryError("sort leaves diversity nothing to order; leave one of the two out")
    return Arrangement(options.group_by, options.group_size or 1, options.sort)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
