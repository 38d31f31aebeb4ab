"""``semcore doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

_MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}


def doctor(
    bundle: Annotated[
        Path | None, typer.Argument(help="Folder of the index bundle; default: SEMCORE_BUNDLE.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for what would keep a service from running, and say what mends it.

    Exits with 1 if there is a fault.
    """
    from cli.checks import examine

    findings = []
    for found in examine(bundle):
        findings.append(found)
        if not as_json:
            typer.echo(f"{_MARKS[found.state]} {found.name}: {found.said}")
            if found.mend:
                typer.echo(f"  → {found.mend}")
    if as_json:
        typer.echo(json.dumps([asdict(found) for found in findings], indent=2))
    if any(found.state == "fault" for found in findings):
        raise typer.Exit(1)
