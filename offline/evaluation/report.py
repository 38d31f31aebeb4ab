"""The report of an evaluation: JSON, Markdown, plots, and a page of answers for a person to judge.

::

    results.json       rows, failures and diagnoses
    report.md          the table and what lies behind it
    survival.png, reliability.png
    suspects.html      wrong first items that may be right, with their pictures
    answers.jsonl      all answers; what a run that was stopped goes on from
"""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence, Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

from offline.evaluation import charts
from offline.evaluation.diagnosis import Suspect, flips, reliability, survival, suspects
from offline.evaluation.evaluation import Evaluation, markdown_table
from offline.evaluation.query_runner import Answered
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import Item, ItemStore
from semcore.errors import PictureError
from semcore.identifiers.encoder import Encoder
from semcore.kind import KINDS
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_source import picture_source

_SUSPECTS = 30
_SHOWN = 6  # items of a failure
_THUMBNAIL = (192, 192)
_PAGE = """<!doctype html><meta charset="utf-8"><title>Answers to judge</title>
<style>body{{font:15px sans-serif;margin:2rem;max-width:60rem}}td{{padding:.6rem;
border-top:1px solid #ccc;vertical-align:top}}img{{display:block;max-width:192px}}</style>
<h1>Answers to judge</h1>
<p>Each first item below counts as wrong, because it is not annotated as belonging to the query.
Captions of both say much the same: is it wrong?</p>
<table><tr><th>likeness<th>query<th>found first<th>annotated</tr>{rows}</table>
"""


def write_report(
    evaluation: Evaluation, bundle: Path, folder: Path, image_root: str | Path | None = None
) -> None:
    """Write all of it into ``folder``, which exists.

    Args:
        image_root: folder of the pictures, or its URL, if not what the bundle says.
    """
    manifest = read_manifest(bundle)
    answers = evaluation.answers
    survived = {direction: survival(answered) for direction, answered in answers.items()}
    reliable = {direction: reliability(answered) for direction, answered in answers.items()}
    flipped = {direction: flips(answered) for direction, answered in answers.items()}
    items = _items(bundle, {evaluation.asked.split, *manifest.settings.gallery})
    encoder = Encoder(manifest.settings.encoder)
    doubtful = {
        direction: suspects(answered, items, encoder, _SUSPECTS)
        for direction, answered in answers.items()
    }
    charts.draw_survival(survived, folder / "survival.png")
    charts.draw_reliability(reliable, folder / "reliability.png")
    collisions = json.loads((bundle / "report.json").read_text())["collisions"]
    results: dict[str, Any] = {
        "bundle": manifest.version,
        "corpus": manifest.corpus.name,
        "split": evaluation.asked.split,
        "beam_width": evaluation.asked.beam_width,
        "held_out_rule": manifest.corpus.held_out_rule,
        "collision_rate": {kind: one["rate"] for kind, one in collisions.items()},
        "survival": survived,
        "reliability": {direction: asdict(one) for direction, one in reliable.items()},
        "flips": {direction: asdict(one) for direction, one in flipped.items()},
        "suspects": {d: [asdict(one) for one in found] for d, found in doubtful.items()},
        "rows": [asdict(row) for row in evaluation.rows],
        "queries": {direction: len(answered) for direction, answered in answers.items()},
        "failures": {d: _failures(answered) for d, answered in answers.items()},
    }
    (folder / "results.json").write_text(json.dumps(results, indent=1, allow_nan=False))
    root = image_root or manifest.corpus.image_root
    every = [suspect for found in doubtful.values() for suspect in found]
    (folder / "suspects.html").write_text(suspects_page(every, items, root))
    (folder / "report.md").write_text(_markdown(evaluation, results))


def suspects_page(found: Sequence[Suspect], items: dict[str, Item], root: str | Path) -> str:
    """A page with the pictures in it, small, so that it can be passed on."""
    rows = []
    for suspect in found:
        query, shown = items[suspect.query], items[suspect.found]
        right = [
            item for item in items.values() if item.pair == query.pair and item.kind == shown.kind
        ]
        cells = [_cell([query], root), _cell([shown], root), _cell(right, root)]
        rows.append(f"<tr><td>{suspect.likeness:.2f}{''.join(cells)}</tr>")
    return _PAGE.format(rows="".join(rows))


def _failures(answered: Sequence[Answered]) -> list[dict[str, Any]]:
    """The answers whose first item is wrong, with the first items only: what a page shows."""
    return [
        {
            "query": one.query,
            "verified": one.verified,
            "beam": one.beam,
            "lost_at": one.lost_at,
            "items": [item.id for item in one.items[:_SHOWN]],
        }
        for one in answered
        if one.verified != 1
    ]


def _items(bundle: Path, splits: Set[str]) -> dict[str, Item]:
    store = ItemStore(bundle / "items.sqlite", tuple(splits))
    items = {
        item.id: item for split in splits for kind in KINDS for item in store.of_split(split, kind)
    }
    store.close()
    return items


def _cell(items: Sequence[Item], root: str | Path) -> str:
    return "<td>" + "".join(
        _picture(root, item) if item.kind == "image" else f"<p>{html.escape(item.caption)}"
        for item in items
    )


def _picture(root: str | Path, item: Item) -> str:
    buffer = io.BytesIO()
    try:
        small = open_picture(picture_source(root, item.image), max(_THUMBNAIL))
    except PictureError:
        return f"<p>{html.escape(item.image)} is missing"
    small.thumbnail(_THUMBNAIL)
    small.save(buffer, "JPEG")
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def _markdown(evaluation: Evaluation, results: dict[str, Any]) -> str:
    lines = [
        f"# Retrieval on {results['corpus']}",
        "",
        f"Bundle {results['bundle']}, queries of the split {results['split']}, "
        f"{results['beam_width']} beams. {results['held_out_rule']}",
        "",
        "Per cent with 95 % bootstrap intervals over the pictures that the queries belong to.",
        "",
        markdown_table(evaluation.rows),
        "",
        "Items that share their identifier with another one: "
        + ", ".join(f"{kind}s {100 * r:.1f} %" for kind, r in results["collision_rate"].items())
        + ".",
        "",
        "![Where the beams lose the right item](survival.png)",
        "",
        "![Whether scores can be believed](reliability.png)",
        "",
    ]
    for direction, one in results["flips"].items():
        gained, lost = len(one["gained"]), len(one["lost"])
        lines.append(
            f"{direction}: verification put {gained} first items right and {lost} wrong, of "
            f"{len(evaluation.answers[direction])}."
        )
    lines += ["", "Wrong first items that may be right: `suspects.html`.", ""]
    return "\n".join(lines)
