"""Identifiers as the tokens of a model, and the walk over them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semcore.errors import ModelError
from semcore.identifiers.identifier import Identifier, is_token
from semcore.model.prompt import ANSWERS, LETTERS
from semcore.trie.trie import Trie
from semcore.trie.walk import MOST_TOKENS, Walk
from semcore.trie.walk_builder import build_walk

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_tokenizer(model: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a model's folder. Raises :class:`ModelError` if there is none."""
    from transformers import AutoTokenizer

    if not (model / "config.json").is_file():  # else the name is looked up on the hub
        raise ModelError(f"{model} holds no model; train one with 'semcore train'")
    try:
        return AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise ModelError(f"{model} holds no tokenizer that can be read ({error})") from error


class IdentifierTokenizer:
    """Identifiers as token ids: the cluster's token, those of each keyword, the end token.

    A keyword is tokenised by itself, with a space before it, and only once: an index of millions
    of identifiers has few thousand different words.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._parts: dict[str, list[int]] = {}
        self._end = end_token(tokenizer)

    def tokens(self, identifier: Identifier) -> list[int]:
        """Raises :class:`ModelError` if the model lacks the token of the cluster or of a code."""
        tokens: list[int] = []
        for part in identifier.parts:
            spelled = self._parts.get(part)
            if spelled is None:
                spelled = self._parts[part] = self._spelled(part)
            tokens += spelled
        return [*tokens, self._end]

    def check(self, identifier: str) -> None:
        """Raises :class:`ModelError` if the model cannot spell an identifier that is given as text,
        or needs too many tokens for it, and ``ValueError`` if it is none."""
        spelled = self.tokens(Identifier.parse(identifier))
        if len(spelled) > MOST_TOKENS:
            raise ModelError(
                f"the model needs {len(spelled)} tokens for the identifier {identifier!r}, where "
                f"there is room for {MOST_TOKENS}; choose fewer or shorter words"
            )

    def _spelled(self, part: str) -> list[int]:
        if not is_token(part):
            return list(self._tokenizer.encode(f" {part}", add_special_tokens=False))
        token = self._tokenizer.convert_tokens_to_ids(part)
        if token is None or token == self._tokenizer.unk_token_id:
            raise ModelError(
                f"the model has no token {part}; train it on this bundle, or build the bundle "
                "with --like the one that the model was trained on"
            )
        return [int(token)]


def end_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that ends a turn of the chat, hence an identifier."""
    token = tokenizer.convert_tokens_to_ids("<|im_end|>")
    if token is None or token == tokenizer.unk_token_id:
        raise ModelError("the model has no <|im_end|> token; it is none of the InternVL family")
    return int(token)


def verdict_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """The first token of each of :data:`semcore.model.prompt.ANSWERS`, which tells them apart."""
    yes, no = (tokenizer.encode(answer, add_special_tokens=False)[0] for answer in ANSWERS)
    return yes, no


def letter_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The token of each of :data:`semcore.model.prompt.LETTERS` at the beginning of a line.

    Raises :class:`ModelError` if the tokenizer has none of its own for one of them.
    """
    spelled = [tokenizer.encode(letter, add_special_tokens=False) for letter in LETTERS]
    tokens = tuple(tokens[-1] for tokens in spelled)
    if len(set(tokens)) < len(LETTERS) or any(len(tokens) > 1 for tokens in spelled):
        raise ModelError(
            "the model's tokenizer has no token for each capital letter, so that it cannot choose "
            "from a list; train with --gsv pointwise"
        )
    return tokens


def trie_walk(trie: Trie, spelling: IdentifierTokenizer, items: Iterable[tuple[str, int]]) -> Walk:
    """The walk over all identifiers of a trie, as tokens.

    Args:
        spelling: of the model; it knows the keywords that it has spelled before.
        items: identifier and number of each item.

    Raises:
        ModelError: the model spells an identifier with too many tokens, or an identifier belongs to
            no item.
    """
    tokens, lengths = array("i"), array("q")
    for text in trie:
        spelled = spelling.tokens(Identifier.parse(text))
        if len(spelled) > MOST_TOKENS:
            raise ModelError(
                f"the model needs {len(spelled)} tokens for the identifier {text!r}, where "
                f"there is room for {MOST_TOKENS}; build the bundle with fewer or shorter words"
            )
        tokens.extend(spelled)
        lengths.append(len(spelled))
    numbers, owners = array("q"), array("q")
    for identifier, number in items:
        numbers.append(number)
        owners.append(trie.number(identifier))
    try:
        return build_walk(*(np.asarray(values) for values in (tokens, lengths, numbers, owners)))
    except ValueError as error:
        raise ModelError(
            f"the identifiers, as the model's tokenizer spells them, make no walk: {error}"
        ) from error
