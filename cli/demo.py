"""``semcore demo``: the whole path on the demo corpus, from nothing to ranked answers."""

from __future__ import annotations

import asyncio
import fcntl
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.cache_folder import cache_folder
from cli.extras import require_engine
from cli.service_process import serving

_PICTURES = 2000
_WARM_UP_PICTURES = 6000
_CLUSTERS = 20
# Of so small a model float32 is the fastest on a CPU, and compiling it costs more than it saves.
SERVICE = {
    "SEMCORE_DTYPE": "float32",
    "SEMCORE_ENFORCE_EAGER": "1",
    "SEMCORE_ONE_PROCESS": "1",
    "SEMCORE_DRAIN_SECONDS": "0",
    "SEMCORE_LOG_FORMAT": "plain",
    "SEMCORE_LOG_LEVEL": "warning",
}


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Stop the service at the end.")] = False,
    port: Annotated[
        int, typer.Option(help="Port of the service; another one if it is taken or 0.")
    ] = 8080,
    queries: Annotated[int, typer.Option(min=1, help="Queries a direction to measure.")] = 100,
) -> None:
    """Draw a corpus, build, train, serve, search, measure; then serve until Ctrl-C.

    What was made is kept below the user's cache folder, and used again as long as the program
    stays the same.
    """
    require_engine("demo")
    from semcore.bundle.bundle import read_manifest
    from semcore.bundle.calibration import read_calibration
    from semcore.flush import write_whole

    bundle = demo_bundle()
    typer.echo("starting the service")
    began = time.monotonic()
    key, report = secrets.token_urlsafe(), bundle.parent / "report"
    own = {"SEMCORE_ADMIN_KEY": key, "SEMCORE_REPORT": str(report)}
    with serving(bundle, port, {**SERVICE, **own}) as url:
        typer.echo(f"ready after {time.monotonic() - began:.0f} s")
        if not read_calibration(bundle).alone:
            _calibrate(url, bundle, queries, key)
        _show_searches(url, bundle)
        recall = report / "recall.md"
        if not recall.exists():
            write_whole(recall, _measure(url, bundle, queries, report))
        typer.echo(f"\nRecall on pictures never trained, per cent with 95 % interval ({report}):\n")
        typer.echo(recall.read_text())
        typer.echo(f"\nSearch at {url} in a browser (API: {url}/docs). The pictures lie below")
        typer.echo(f"{read_manifest(bundle).corpus.image_root}")
        typer.echo(f"Key for {url}/admin: {key}")
        if not leave:
            typer.echo("Ctrl-C stops it.")
            with _until_interrupted():
                while True:
                    time.sleep(3600)


def demo_bundle() -> Path:
    """The trained bundle of the demo, from the user's cache or made now."""
    from semcore.bundle.bundle import read_manifest

    folder = cache_folder("demo")
    bundle = folder / "bundle"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two would take each other's beginnings away
        if not bundle.exists() or read_manifest(bundle).model is None:
            _make(folder, bundle)
    return bundle


def _make(folder: Path, bundle: Path) -> None:
    from offline.bundle.binding import bind_bundle
    from offline.bundle.build import BuildSettings, build_bundle
    from offline.corpus.reader import read_corpus
    from offline.demo.demo_corpus import write_demo_corpus, write_warm_up_corpus
    from offline.training.presets import TINY
    from offline.training.stages import train_model

    corpus, warm_up = folder / "corpus", folder / "warm-up"
    if not (warm_up / "captions.jsonl").exists():
        shutil.rmtree(folder, ignore_errors=True)
        typer.echo(f"drawing {_PICTURES} pictures, and {_WARM_UP_PICTURES} to warm up with")
        write_demo_corpus(corpus, _PICTURES)
        write_warm_up_corpus(warm_up, _WARM_UP_PICTURES, beside=_PICTURES)
    if not bundle.exists():
        typer.echo("building the index: identifiers, trie, bundle")
        settings = BuildSettings(clusters=_CLUSTERS, gallery=("test",))
        build_bundle(read_corpus(corpus), bundle, settings)
    train_model(bundle, "tiny", folder / "model", TINY, read_corpus(warm_up), typer.echo)
    bind_bundle(bundle, folder / "model")


def _show_searches(url: str, bundle: Path) -> None:
    """Two searches by text and two by picture, with what should have been found."""
    from cli.answer import print_items
    from cli.connection import Connection
    from semcore.bundle.bundle import read_manifest
    from semcore.bundle.item import Item, ItemStore

    manifest = read_manifest(bundle)
    store = ItemStore(bundle / "items.sqlite", manifest.settings.gallery)
    texts = [item for item in store.of_split("test", "text") if item.held_out]
    images = list(store.of_split("test", "image"))
    place = manifest.corpus.picture_source
    for item in (texts[0], texts[len(texts) // 2], images[1], images[len(images) // 2]):
        query = item.caption if item.kind == "text" else str(place(item))
        typer.echo(f"\n{query}    (belongs to {item.pair})")
        with Connection(url) as service:
            answer = service.ask(query, {"top_k": 5})
        for found in answer["items"]:
            if found["image"]:
                shown: Item | None = store.get(found["id"])
                found["image"] = str(place(shown)) if shown else found["image"]
        print_items(answer)
    store.close()


def _calibrate(url: str, bundle: Path, queries: int, key: str) -> None:
    """Find out when verification may be left out, and serve the bundle that says so."""
    import httpx

    from offline.evaluation.calibration import calibrate

    typer.echo("\ncalibrating")
    asyncio.run(calibrate(url, bundle, limit=queries))
    path, headers = f"{url}/admin/index/reload", {"X-API-Key": key}
    httpx.post(path, json={}, headers=headers, timeout=600).raise_for_status()


def _measure(url: str, bundle: Path, queries: int, folder: Path) -> str:
    """The table of recall; the whole report is written into the folder."""
    from offline.evaluation.evaluation import evaluate, markdown_table
    from offline.evaluation.report import write_report

    typer.echo("\nmeasuring recall")
    found = asyncio.run(evaluate(url, bundle, limit=queries, folder=folder))
    write_report(found, bundle, folder)
    return markdown_table(found.rows) + "\n"


@contextmanager
def _until_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("stopping")
