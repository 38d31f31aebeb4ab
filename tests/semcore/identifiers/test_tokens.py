"""Identifiers as tokens: the cluster's own, the keywords, the end."""

import shutil
from pathlib import Path

import pytest

from semcore.bundle.item import ItemStore
from semcore.errors import ModelError
from semcore.identifiers.identifier import Identifier, global_token
from semcore.identifiers.tokens import (
    IdentifierTokenizer,
    letter_tokens,
    load_tokenizer,
    trie_walk,
    verdict_tokens,
)
from semcore.model.prompt import LETTERS
from semcore.trie.trie import Trie
from semcore.trie.walk import DONE


def test_spells_a_cluster_its_keywords_and_an_end(trained: Path) -> None:
    tokenizer = load_tokenizer(trained / "model")
    tokens = IdentifierTokenizer(tokenizer).tokens(Identifier(3, ("boat", "red")))
    assert tokenizer.convert_ids_to_tokens(tokens[0]) == global_token(3)
    assert tokenizer.decode(tokens[1:]) == " boat red<|im_end|>"


def test_says_which_cluster_a_model_lacks(trained: Path) -> None:
    tokenizer = load_tokenizer(trained / "model")
    with pytest.raises(ModelError, match="no token <g4096>"):
        IdentifierTokenizer(tokenizer).tokens(Identifier(4096, ("boat",)))


def test_walks_over_all_identifiers(trained: Path) -> None:
    tokenizer = load_tokenizer(trained / "model")
    trie = Trie.load(trained / "bundle/image.marisa")
    store = ItemStore(trained / "bundle/items.sqlite", ("train", "val", "test"))
    walk = trie_walk(trie, IdentifierTokenizer(tokenizer), store.identifiers("image"))
    spelling = IdentifierTokenizer(tokenizer)
    assert walk.identifiers == len(trie)
    for text in trie:
        spelled = walk.follow(spelling.tokens(Identifier.parse(text)))
        assert spelled is not None
        position, leaf = spelled
        assert position == DONE
        found = store.of_numbers(walk.items_of(leaf).tolist())
        assert found
        assert {item.identifier for item in found} == {text}
    store.close()


def test_verdicts_begin_with_different_tokens(trained: Path) -> None:
    tokenizer = load_tokenizer(trained / "model")
    yes, no = verdict_tokens(tokenizer)
    assert yes != no
    assert "Yes".startswith(tokenizer.decode([yes]))
    assert "No".startswith(tokenizer.decode([no]))


def test_letters_are_the_tokens_that_stand_in_a_list(trained: Path) -> None:
    tokenizer = load_tokenizer(trained / "model")
    tokens = letter_tokens(tokenizer)
    assert [tokenizer.decode([token]) for token in tokens] == list(LETTERS)
    listed = tokenizer.encode(f"(boat)\n{LETTERS[1]}\nWhich?", add_special_tokens=False)
    assert tokens[1] in listed


def test_says_where_a_tokenizer_has_no_letters() -> None:
    class Lower:
        def encode(self, text: str, **_: object) -> list[int]:
            return [ord(text.lower()) % 7]

    with pytest.raises(ModelError, match="--gsv pointwise"):
        letter_tokens(Lower())


def test_says_where_there_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="semcore train"):
        load_tokenizer(tmp_path)


def test_says_where_the_tokenizer_is_damaged(trained: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer_config.json"):
        shutil.copy(trained / "model" / name, tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="no tokenizer"):
        load_tokenizer(tmp_path)


def test_says_which_identifier_has_too_many_tokens(trained: Path) -> None:
    spelling = IdentifierTokenizer(load_tokenizer(trained / "model"))
    long = " ".join(["<g1>", *("x" * 40 for _ in range(12))])
    with pytest.raises(ModelError, match="fewer or shorter words"):
        trie_walk(Trie.build([long]), spelling, [(long, 0)])
