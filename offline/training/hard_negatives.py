"""Candidates that nearly match: what verification has to learn to tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offline.training.candidates import Query
from offline.training.pairs import captions_of_pairs
from semcore.bundle.item import Item
from semcore.identifiers.encoder import Encoder
from semcore.kind import target_kind


def with_hard_negatives(
    queries: Sequence[Query],
    sets: Sequence[Sequence[Item]],
    items: Sequence[Item],
    encoder: Encoder,
    count: int,
) -> list[list[Item]]:
    """Each set with up to ``count`` more items: those of other pairs whose captions, all taken
    together, are most like those of the query's pair.

    Args:
        items: those that were searched in, with their texts.
    """
    captions = captions_of_pairs(items)
    pairs = list(captions)
    vectors = encoder.encode([captions[pair] for pair in pairs])
    row = {pair: place for place, pair in enumerate(pairs)}
    of_pair: dict[tuple[str, str], Item] = {}
    for item in items:
        of_pair.setdefault((item.kind, item.pair), item)
    enlarged = []
    for query, found in zip(queries, sets, strict=True):
        shown = {query.pair, *(item.pair for item in found)}
        order = np.argsort(-(vectors @ vectors[row[query.pair]]), kind="stable")
        near = (pairs[place] for place in order if pairs[place] not in shown)
        kind = target_kind(query.direction)
        more = [of_pair[kind, pair] for pair, _ in zip(near, range(count), strict=False)]
        enlarged.append([*found, *more])
    return enlarged
