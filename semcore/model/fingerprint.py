"""Fingerprints: which model lies in a folder, beyond what sizes and headers say.

Two trainings of one architecture differ in nothing but their numbers. All of them are read where a
model is made, bound to a bundle, or examined by ``semcore doctor``. The service reads few: it
trusts the note that was made then, as long as sizes and times of the files are those of the note;
else it compares samples of each tensor.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ValidationError

from semcore.errors import ModelError
from semcore.flush import write_whole
from semcore.model.adapter import ADAPTER

NOTE = "fingerprint.json"
"""What a model's folder says of the files in it."""
_WHOLE_BELOW = 4096  # bytes
_SPOTS, _SPOT = 16, 32  # in each tensor that is larger, and bytes of each
_LARGEST_HEADER = 2**28
_log = logging.getLogger("semcore")

_State = tuple[tuple[str, int, int], ...]
"""Name, bytes, and nanoseconds of the last change of each file."""
_known: dict[tuple[Path, _State], str] = {}


class _Note(BaseModel):
    fingerprint: str
    files: list[tuple[str, int, int]]


def model_fingerprint(model: Path) -> str:
    """SHA-256, in hex, of the files of the tokenizer, the weights and the adapter."""
    digest = hashlib.sha256()
    for file in _files(model):
        digest.update(file.name.encode())
        digest.update(_sha256(file))
    return digest.hexdigest()


def model_sample(model: Path) -> str:
    """The same of the files of the tokenizer, and of a sample of each tensor's bytes, at the same
    places for all models.

    Raises :class:`ModelError` if a file of weights is none.
    """
    digest = hashlib.sha256()
    for file in _files(model):
        digest.update(file.name.encode())
        if file.suffix == ".safetensors":
            for part in _sampled(file):
                digest.update(part)
        else:
            digest.update(_sha256(file))
    return digest.hexdigest()


def note_fingerprint(model: Path) -> str:
    """The fingerprint, read from all files and noted in the folder if that can be written to."""
    state = _state(model)
    found = model_fingerprint(model)
    with suppress(OSError):
        note = _Note(fingerprint=found, files=list(state))
        write_whole(model / NOTE, note.model_dump_json(indent=1) + "\n")
    return found


def is_model(model: Path, fingerprint: str, sample: str) -> bool:
    """Whether a folder holds the model of a fingerprint, as far as few bytes can tell.

    Args:
        sample: as :func:`model_sample` says; empty where it is not known, so that all bytes have to
            be read, once in a process.

    Raises :class:`ModelError` if a file of weights is none.
    """
    state = _state(model)
    if not any(name.endswith(".safetensors") for name, _, _ in state):
        return False
    noted = _noted(model, state)
    if noted is not None:
        return noted == fingerprint
    if sample:
        if (model, state) not in _known:
            _log.info("%s is told by a sample of its weights: %s does not fit the files", model,
                      NOTE)  # fmt: skip
            _known[model, state] = model_sample(model)
        return _known[model, state] == sample
    whole = model, (("all of it", 0, 0), *state)
    if whole not in _known:
        _log.warning("%s is read as a whole to know it, since neither its %s nor the bundle has a "
                     "sample; train or build again to spare that", model, NOTE)  # fmt: skip
        _known[whole] = model_fingerprint(model)
    return _known[whole] == fingerprint


def check_model(model: Path, bundle: Path, fingerprint: str, sample: str) -> None:
    """Raises :class:`ModelError` if a folder holds no model, or another one than a bundle was made
    for (:func:`is_model`)."""
    if is_model(model, fingerprint, sample):
        return
    if not any(_files(model)):
        raise ModelError(
            f"{model} holds no model; set SEMCORE_MODEL to the folder of the one that {bundle} was "
            "made for"
        )
    raise ModelError(
        f"{model} holds another model than {bundle} was made for; set SEMCORE_MODEL to the folder "
        "of that one, or serve the bundle that was trained with this one"
    )


def _files(model: Path) -> list[Path]:
    weights = [*model.glob("*.safetensors"), *model.glob(f"{ADAPTER}/*.safetensors")]
    return sorted([*weights, *model.glob("tokenizer*.json")])


def _state(model: Path) -> _State:
    told = ((file, file.stat()) for file in _files(model))
    return tuple((str(f.relative_to(model)), s.st_size, s.st_mtime_ns) for f, s in told)


def _noted(model: Path, state: _State) -> str | None:
    """The fingerprint that the folder's note says; None if it is of other files."""
    try:
        note = _Note.model_validate_json((model / NOTE).read_bytes())
    except (OSError, ValidationError):
        return None
    return note.fingerprint if tuple(note.files) == state else None


def _sha256(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _sampled(file: Path) -> Iterator[bytes]:
    """The header of a file of weights, and bytes of each of its tensors."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(_read(stream, 0, 8), "little")
            if length > _LARGEST_HEADER:
                raise ValueError("its header is too long")
            header = _read(stream, 8, length)
            yield header
            tensors = json.loads(header)
            tensors.pop("__metadata__", None)
            for name in sorted(tensors):
                begin, end = tensors[name]["data_offsets"]
                for at, size in _spots(name, end - begin):
                    yield _read(stream, 8 + length + begin + at, size)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{file} is damaged ({error}); copy the model anew, or train it again"
        ) from error


def _spots(name: str, size: int) -> Iterator[tuple[int, int]]:
    """Where in a tensor of ``size`` bytes how many are read."""
    if size <= _WHOLE_BELOW:
        yield 0, size
        return
    chosen = random.Random(name)
    for _ in range(_SPOTS):
        yield chosen.randrange(size - _SPOT), _SPOT


def _read(stream: BinaryIO, at: int, size: int) -> bytes:
    content = os.pread(stream.fileno(), size, at)
    if len(content) < size:
        raise ValueError("it ends too early")
    return content
