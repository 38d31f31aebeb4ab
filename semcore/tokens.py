"""Identifiers as the tokens of a model, and the walk over them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from semcore.errors import ModelError
from semcore.identifier import Identifier, global_token
from semcore.prompt import ANSWERS
from semcore.trie import Trie
from semcore.walk import Walk, build_walk

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


def identifier_tokens(tokenizer: PreTrainedTokenizerBase, identifier: Identifier) -> list[int]:
    """Token ids: the cluster's token, the keywords with a space before each, the end token.

    Raises :class:`ModelError` if the model has no token for the cluster.
    """
    token = tokenizer.convert_tokens_to_ids(global_token(identifier.global_id))
    if token is None or token == tokenizer.unk_token_id:
        raise ModelError(
            f"the model has no token for cluster {identifier.global_id}; train it on this bundle, "
            "or build the bundle with --like the one that the model was trained on"
        )
    words = "".join(f" {word}" for word in identifier.lexical_id)
    lexical = tokenizer.encode(words, add_special_tokens=False)
    return [int(token), *lexical, end_token(tokenizer)]


def end_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that ends a turn of the chat, hence an identifier."""
    token = tokenizer.convert_tokens_to_ids("<|im_end|>")
    if token is None or token == tokenizer.unk_token_id:
        raise ModelError("the model has no <|im_end|> token; it is none of the InternVL family")
    return int(token)


def verdict_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """The first token of each of :data:`semcore.prompt.ANSWERS`, which tells them apart."""
    yes, no = (tokenizer.encode(answer, add_special_tokens=False)[0] for answer in ANSWERS)
    return yes, no


def trie_walk(trie: Trie, tokenizer: PreTrainedTokenizerBase) -> Walk:
    """The walk over all identifiers of a trie, as tokens."""
    sequences = [identifier_tokens(tokenizer, Identifier.parse(text)) for text in trie]
    return build_walk(sequences, range(len(sequences)))


def model_fingerprint(model: Path) -> str:
    """SHA-256, in hex, of the files of the tokenizer, the weights and the adapter."""
    digest = hashlib.sha256()
    for file in sorted([*model.glob("*.safetensors"), *model.glob("tokenizer*.json")]):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
