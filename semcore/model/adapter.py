"""A LoRA adapter that lies beside the weights of a model and is not merged into them."""

from __future__ import annotations

import json
from pathlib import Path

from semcore.errors import ModelError

ADAPTER = "adapter"
_CONFIG = "adapter_config.json"


def adapter_of(model: Path) -> Path | None:
    """The folder of a model's adapter; None if it has none."""
    folder = model / ADAPTER
    return folder if (folder / _CONFIG).is_file() else None


def adapter_rank(adapter: Path) -> int:
    """Raises :class:`ModelError` if the adapter cannot be read."""
    try:
        return int(json.loads((adapter / _CONFIG).read_text())["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{adapter} is no adapter ({error}); train the model again") from error
