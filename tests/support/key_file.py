"""A file of API keys, each named like the key itself."""

import hashlib
import json
from pathlib import Path

from service.http.api_keys import Scope


def write_keys(path: Path) -> Path:
    def key(secret: str, *scopes: Scope, per_minute: int | None = None) -> dict[str, object]:
        digest = hashlib.sha256(secret.encode()).hexdigest()
        return {"name": secret, "sha256": digest, "scopes": scopes, "per_minute": per_minute}

    keys = [
        key("seeker", "search"),
        key("rare", "search", per_minute=3),
        key("both", "search", "admin"),
    ]
    path.write_text(json.dumps(keys))
    return path
