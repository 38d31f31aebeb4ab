"""What the contents of a folder are made of, told in a file of it, so that they are used again only
where they are of the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from semcore.errors import SemcoreError
from semcore.flush import write_whole


def is_used(folder: Path) -> bool:
    """Whether a folder holds anything; what a :func:`claim` that was killed has left is nothing."""
    return folder.exists() and any(path.suffix != ".part" for path in folder.iterdir())


def claim(file: Path, origin: Mapping[str, object], *, in_use: bool, other: SemcoreError) -> None:
    """Note in ``file`` what its folder is for.

    Args:
        origin: as JSON has it.
        in_use: there is something in the folder already, of what ``file`` says.
        other: raised if that is something else.
    """
    said = json.dumps(origin, indent=2, default=list)
    known = file.read_text() if file.exists() else ""
    if known == said:
        return
    if known or in_use:
        raise other
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, said)  # what is half written would fit nothing
