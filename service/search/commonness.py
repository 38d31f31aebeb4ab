"""Commonness: how likely an identifier or a text is where nothing is asked for.

Some identifiers are likely after any query, because their words are, and some texts whatever the
picture. What the query or the picture adds is the difference of the two log-probabilities, the
pointwise mutual information.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from semcore.kind import Kind
from semcore.model.prompt import blank_prompt, description_prompt, normalise_query
from service.engine.protocol import Engine

_KEPT = 100_000
_SHORT = 100  # characters


class Commonness:
    """Asks the engine once for each, and keeps the answers of those used last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def of(self, kind: Kind, identifiers: Sequence[str]) -> list[float]:
        """Log-probabilities of identifiers without a query, in nats.

        Raises :class:`semcore.errors.EngineError` if the engine fails.
        """
        return await self._of(blank_prompt(kind), identifiers, self._engine.spell)

    async def of_texts(self, texts: Sequence[str]) -> list[float]:
        """Log-probabilities of texts as the description of no picture, in nats.

        Raises :class:`semcore.errors.EngineError` if the engine fails.
        """
        said = [normalise_query(text) for text in texts]
        return await self._of(description_prompt(picture=""), said, self._engine.say)

    async def _of(
        self, blank: str, answers: Sequence[str], tokens: Callable[[str], list[int]]
    ) -> list[float]:
        known = self._known
        names = {answer: (blank, _name(answer)) for answer in answers}
        # Read before the engine is asked: another search may put them out meanwhile.
        found = {answer: known[name] for answer, name in names.items() if name in known}
        new = [answer for answer in dict.fromkeys(answers) if answer not in found]
        if new:
            prompt = self._engine.prompt(blank)
            logprobs = await self._engine.weigh(prompt, [tokens(answer) for answer in new])
            found.update(zip(new, logprobs, strict=True))
        for answer, logprob in found.items():
            known[names[answer]] = logprob
            known.move_to_end(names[answer])
        while len(known) > _KEPT:
            known.popitem(last=False)
        return [found[answer] for answer in answers]


def _name(answer: str) -> str:
    """Short, however long an answer is: a hundred thousand are kept."""
    return answer if len(answer) <= _SHORT else hashlib.sha256(answer.encode()).hexdigest()
