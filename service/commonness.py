"""Commonness: how likely an identifier is where nothing is asked for.

Some identifiers are likely after any query, because their words are. What the query adds is the
difference of the two log-probabilities, the pointwise mutual information of query and identifier.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from semcore.item import Kind
from semcore.prompt import blank_prompt
from service.engine import Engine

_KEPT = 100_000


class Commonness:
    """Asks the engine once for each identifier, and keeps the answers of those used last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[tuple[Kind, str], float] = OrderedDict()

    async def of(self, kind: Kind, identifiers: Sequence[str]) -> list[float]:
        """Log-probabilities without a query, in nats.

        Raises :class:`semcore.errors.EngineError` if the engine fails.
        """
        known = self._known
        # Read before the engine is asked: another search may put them out meanwhile.
        found = {name: known[kind, name] for name in identifiers if (kind, name) in known}
        new = [name for name in dict.fromkeys(identifiers) if name not in found]
        if new:
            blank = self._engine.prompt(blank_prompt(kind))
            spelled = [self._engine.spell(name) for name in new]
            logprobs = await self._engine.weigh(blank, spelled)
            found.update(zip(new, logprobs, strict=True))
        for name, logprob in found.items():
            known[kind, name] = logprob
            known.move_to_end((kind, name))
        while len(known) > _KEPT:
            known.popitem(last=False)
        return [found[name] for name in identifiers]
