"""``semcore evaluate | calibrate``."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT_URL, ImageRoot, Key, Served, SplitValue, Url

_Split = Annotated[SplitValue, typer.Option(help="Split of the queries.")]
_Beams = Annotated[int, typer.Option(min=1, help="Beams.")]


def evaluate(
    bundle: Served,
    url: Url = DEFAULT_URL,
    split: _Split = "test",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most queries a direction; all if left out.")
    ] = None,
    beam_width: _Beams = 20,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report; run again, it asks only what it does not hold."),
    ] = None,
    key: Key = None,
    image_root: ImageRoot = None,
) -> None:
    """Measure recall on held-out queries: in full, without GSV, and without the constraint."""
    from offline.evaluation import evaluation
    from offline.evaluation.report import write_report

    found = asyncio.run(
        evaluation.evaluate(
            url,
            bundle,
            split=split,
            limit=limit,
            beam_width=beam_width,
            folder=out,
            key=key,
            image_root=image_root,
        )
    )
    typer.echo(evaluation.markdown_table(found.rows))
    _tell_unasked(found.answers.keys())
    if out is not None:
        write_report(found, bundle, out, image_root)
        typer.echo(f"the report is {out / 'report.md'}")


def calibrate(
    bundle: Served,
    url: Url = DEFAULT_URL,
    split: _Split = "val",
    limit: Annotated[int, typer.Option(min=1, help="Most queries a direction.")] = 300,
    beam_width: _Beams = 20,
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Share of first places that may differ.")
    ] = 0.01,
    key: Key = None,
    image_root: ImageRoot = None,
) -> None:
    """Find out how to weigh candidates, when to leave verification out, and how likely items are to
    be right, and write that into the bundle; reload it afterwards. Of a bundle without a model only
    the last is measured, and no service is asked."""
    from offline.evaluation.calibration import calibrate as measure
    from offline.evaluation.guided_weights import GUIDE_ALONE

    found = asyncio.run(
        measure(
            url,
            bundle,
            split=split,
            limit=limit,
            beam_width=beam_width,
            tolerance=tolerance,
            key=key,
            image_root=image_root,
        )
    )
    for one in found.measured:
        weights, margin = one.calibration, one.margin
        if one.guided is not None and weights == GUIDE_ALONE:
            typer.echo(
                f"{one.direction} with the guide: its order stands, since on pictures that were "
                "held out what the model said brought right items no further ahead than chance may "
                f"({one.guided.gain:+.3f} of mean reciprocal rank, standard error "
                f"{one.guided.error:.3f})"
            )
            continue
        prior = weights.prior * weights.likelihood
        cosine = (
            "" if one.guided is None else f"cosine times {weights.prior * weights.cosine:.2f}, "
        )
        typer.echo(
            f"{one.direction}{'' if one.guided is None else ' with the guide'}: log-probability, "
            f"less {weights.commonness:.2f} of that without a query, times {prior:.2f}, {cosine}"
            f"log-odds times {weights.evidence:.2f} and description times {weights.description:.2f}"
        )
        if one.guided is not None and one.guided.gain is None:
            typer.echo("  the defaults, since fewer than 100 queries were asked")
        typer.echo(
            "  verification is always asked for: other candidates were verified than these weights "
            "put first; reload the bundle and calibrate once more to learn when not"
            if margin is None
            else f"  from a lead of {margin.margin:.3g} nats on, "
            f"{100 * margin.left_out:.0f} % of the searches, no verification; of all, "
            f"{100 * margin.changed:.1f} % would have had another first item"
        )
    for told in found.probable:
        by = "cosine with the guide" if told.guided else "score without the guide"
        typer.echo(
            f"{told.direction}: how likely an item is to be right is told by its {by}"
            if told.probability is not None
            else f"{told.direction}: how likely an item is to be right is not told by its {by}: "
            "fewer than 20 queries have a right one among their candidates, or it ranks no higher"
        )
    # Each direction that was asked has a probability by one of the two, or none.
    _tell_unasked([told.direction for told in found.probable])


def _tell_unasked(asked: Container[str]) -> None:
    from semcore.kind import DIRECTIONS

    for direction in DIRECTIONS:
        if direction not in asked:
            typer.echo(f"{direction} was left out: the split has no queries of it")
