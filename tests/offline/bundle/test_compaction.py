"""A compacted bundle finds what the older one found with its journal, and takes later changes."""

import shutil
from pathlib import Path

import pytest

from offline.bundle.compaction import compact_bundle
from semcore.bundle.bundle import check_bundle
from semcore.bundle.canary import read_canary
from semcore.bundle.item import ADDED, ItemStore
from semcore.clock import Clock
from semcore.errors import JournalError
from semcore.identifiers.naming import Namer
from semcore.journal.change import Change, Entry
from semcore.journal.journal import Journal
from semcore.trie.trie import Trie
from semcore.trie.walk import load_walk


def test_holds_all_changes(trained: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(trained / "bundle", bundle)
    before = check_bundle(trained / "bundle")
    assert before.model is not None
    shutil.copytree(before.model.folder(trained / "bundle"), tmp_path / "model")
    older = ItemStore(bundle / "items.sqlite", before.settings.gallery)
    first, second = list(older.of_split("test", "text"))[:2]
    journal = Journal(tmp_path / "journal")
    entry = Entry(
        id=second.id,
        kind="text",
        pair=second.pair,
        captions=("three red boats",),
        image="",
        metadata={"year": 1990},
        identifier="<g1> boats",
        clusters="those of another bundle",
    )
    journal.append([Change(first.id, None), Change(second.id, entry)])

    manifest = compact_bundle(bundle, tmp_path / "journal", bundle)
    assert check_bundle(bundle) == manifest
    assert manifest.held == Clock(journals={journal.name: journal.last})
    assert manifest.counts["texts"] == before.counts["texts"] - 1
    assert manifest.counts["images"] == before.counts["images"]
    assert manifest.version != before.version
    store = ItemStore(bundle / "items.sqlite", manifest.settings.gallery)
    assert store.get(first.id) is None
    changed = store.get(second.id)
    assert changed is not None
    # Its identifier was made for other clusters, hence is made anew.
    named = Namer(bundle, manifest.settings).name("text", ("three red boats",))
    assert (changed.split, changed.identifier) == (ADDED, named.text)
    assert changed.metadata == {"year": 1990}
    trie = Trie.load(bundle / "text.marisa")
    assert named.text in trie
    assert load_walk(bundle / "text").identifiers == len(trie)
    assert len(read_canary(bundle)) == 64
    journal.close()
    store.close()
    older.close()


def test_says_that_there_is_no_journal(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="nothing to compact"):
        compact_bundle(trained / "bundle", tmp_path / "elsewhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()
