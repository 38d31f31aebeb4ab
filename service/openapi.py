"""The contract: ``python -m service.openapi`` writes ``docs/openapi.json``."""

from __future__ import annotations

import json
from pathlib import Path

from service.app import create_app
from service.settings import Settings

FILE = Path(__file__).parents[1] / "docs" / "openapi.json"


def contract() -> str:
    """The OpenAPI document of the service, as JSON."""
    return json.dumps(create_app(Settings()).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(contract())
