"""The trie numbers its identifiers, and says when a file is none."""

from pathlib import Path

import pytest

from semcore.errors import BundleError
from semcore.trie.trie import Trie

TEXTS = ["<g1> boat red", "<g1> boat blue", "<g2> car"]


def test_numbers_and_back(tmp_path: Path) -> None:
    Trie.build([*TEXTS, TEXTS[0]]).save(tmp_path / "t.marisa")
    trie = Trie.load(tmp_path / "t.marisa")
    assert len(trie) == 3
    assert {trie.identifier(trie.number(text)) for text in TEXTS} == set(TEXTS)
    assert sorted(trie) == sorted(TEXTS)
    assert "<g1> boat" not in trie
    with pytest.raises(KeyError):
        trie.number("<g9>")


def test_refuses_another_file(tmp_path: Path) -> None:
    (tmp_path / "t.marisa").write_bytes(b"none")
    with pytest.raises(BundleError, match="is no trie"):
        Trie.load(tmp_path / "t.marisa")
    with pytest.raises(BundleError, match="is no trie"):
        Trie.load(tmp_path / "absent")
