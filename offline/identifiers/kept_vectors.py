"""Vectors that earlier builds made are kept by content: of a corpus that has grown, only what is
new is encoded."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from semcore.guide.guide import encoder_fingerprint
from semcore.identifiers.encoder import Encoder, Vectors

_MOST = 2_000_000
"""Vectors of an encoder that are kept; of 384 dimensions some 3 GB."""
_ASKED = 500  # keys of a statement
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL
)"""
_T = TypeVar("_T")


class KeepingEncoder(Encoder):
    """An encoder whose vectors are kept on disk."""

    def __init__(self, encoder: Encoder, folder: Path, most: int = _MOST) -> None:
        """
        Args:
            folder: holds a file for each encoder, named by its fingerprint. Several builds may use
                it at a time.
            most: vectors that are kept; the oldest ones go first.
        """
        self.name = encoder.name
        self.lock = encoder.lock
        self.model = encoder.model
        self._encoder = encoder
        self._most = most
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{encoder_fingerprint(encoder)[:16]}.sqlite"

    @property
    def sees(self) -> bool:
        return self._encoder.sees

    def encode(self, texts: list[str]) -> Vectors:
        keys = [_key(b"text", text.encode()) for text in texts]
        return self._found(keys, texts, self._encoder.encode)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        keys = [_key(repr((one.mode, one.size)).encode(), one.tobytes()) for one in images]
        return self._found(keys, images, self._encoder.encode_images)

    def _found(
        self, keys: Sequence[bytes], contents: Sequence[_T], encode: Callable[[list[_T]], Vectors]
    ) -> Vectors:
        """The vectors of contents; those that are not there are made and kept."""
        if not keys:
            return encode([])
        connection = sqlite3.connect(self._file, timeout=60)
        try:
            with connection:
                connection.execute(_SCHEMA)
            known = _known(connection, list(dict.fromkeys(keys)))
            new = {key: one for key, one in zip(keys, contents, strict=True) if key not in known}
            if new:
                made = encode(list(new.values()))
                known.update(zip(new, made, strict=True))
                self._keep(connection, [(key, known[key].tobytes()) for key in new])
        finally:
            connection.close()
        return np.stack([known[key] for key in keys])

    def _keep(self, connection: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes]]) -> None:
        with connection:
            statement = "INSERT OR IGNORE INTO vectors (key, vector) VALUES (?, ?)"
            connection.executemany(statement, rows)
            last = "(SELECT max(number) FROM vectors)"
            connection.execute(f"DELETE FROM vectors WHERE number <= {last} - ?", (self._most,))


def _key(kind: bytes, content: bytes) -> bytes:
    return hashlib.sha256(kind + b"\0" + content).digest()


def _known(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
    found: dict[bytes, Vectors] = {}
    for start in range(0, len(keys), _ASKED):
        asked = keys[start : start + _ASKED]
        places = ", ".join("?" * len(asked))
        statement = f"SELECT key, vector FROM vectors WHERE key IN ({places})"
        for key, vector in connection.execute(statement, asked):
            found[key] = np.frombuffer(vector, dtype=np.float32)
    return found
