"""What a build found: bad rows, and items that share their identifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from offline.corpus.corpus import Corpus
from semcore.bundle.item import Item
from semcore.kind import KINDS

_WORST_COLLISIONS = 20


def build_report(corpus: Corpus, items: Sequence[Item], gallery: Sequence[str]) -> dict[str, Any]:
    """As ``report.json`` has it."""
    bad_rows = [asdict(row) for row in corpus.bad_rows]
    long_rows = [asdict(row) for row in corpus.long_rows]
    return {
        "bad_rows": bad_rows,
        "long_rows": long_rows,
        "passed_over": corpus.passed_over,
        "collisions": collisions(items, gallery),
    }


def collisions(items: Sequence[Item], gallery: Sequence[str]) -> dict[str, Any]:
    """For each kind the share of gallery items that share their identifier, and the worst."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        shown = Counter(i.identifier for i in items if i.kind == kind and i.split in gallery)
        sharing = sum(count for count in shown.values() if count > 1)
        found[kind] = {
            "rate": sharing / max(1, shown.total()),
            "items": sharing,
            "worst": [pair for pair in shown.most_common(_WORST_COLLISIONS) if pair[1] > 1],
        }
    return found
