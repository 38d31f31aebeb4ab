"""Traces: where the beams of a search lost an item that was to be found."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence

from semcore.bundle.item import Item
from semcore.kind import Kind
from semcore.trie.layers import Layers, Positions
from service.beams.side import Side
from service.engine.protocol import Found
from service.index.snapshot import Snapshot
from service.schemas.answer import TraceAnswer


async def traced_items(
    spell: Callable[[str], Sequence[int]],
    snapshot: Snapshot,
    trace: Sequence[str],
    kind: Kind,
    side: Side,
    found: Found,
) -> list[TraceAnswer]:
    """Where the beams lost each of the items of these ids that can be found and are of the kind.

    Args:
        spell: the tokens of an identifier.
    """

    def traced() -> list[TraceAnswer]:
        return [
            trace_answer(item, map(spell, item.identifiers), side.layers, found)
            for item in filter(None, map(snapshot.get, trace))
            if item.kind == kind
        ]

    return await asyncio.to_thread(traced) if trace else []


def trace_answer(
    item: Item, spelled: Iterable[Sequence[int]], layers: Layers, found: Found
) -> TraceAnswer:
    """Where the beams lost an item whose identifiers are spelled with ``spelled``, each as tokens;
    of several the one that was lost last counts.

    Of a search without constraint, whose beams have no place in the layers, only whether it was
    found is known: what was not counts as lost with the first step.
    """
    steps = [(_lost_at(tokens, layers, found), len(tokens)) for tokens in spelled]
    lost_at, length = max(steps, key=lambda step: math.inf if step[0] is None else step[0])
    return TraceAnswer(id=item.id, identifier=item.identifier, steps=length, lost_at=lost_at)


def _lost_at(tokens: Sequence[int], layers: Layers, found: Found) -> int | None:
    spelled = layers.follow(tokens)
    if spelled is not None and any(beam.leaves == spelled[1] for beam in found.beams):
        return None
    positions: Positions = layers.root
    for step, (token, beams) in enumerate(zip(tokens, found.trail, strict=False), start=1):
        following = layers.step(positions, token)
        if following is None or following[0] not in beams:
            return step
        positions = following[0]
    return len(tokens)
