"""64 clients for ten minutes, and meanwhile 100 reloads of the index: errors, p99 and memory.

All searches differ. Reloads take turns between two bundles, one after the other without a pause.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import httpx
import numpy as np
import psutil

from benchmarks.demo_engine import add_arguments, family
from benchmarks.measure import argument_parser, record
from benchmarks.plot import timeline
from benchmarks.wrk import Load, load, loading
from cli.demo import SERVICE, demo_bundle
from cli.service_process import serving
from offline.bundle.binding import bind_bundle, bound_model
from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.reader import read_corpus
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import ItemStore

CLIENTS = 64
_PATH = "/search/text-to-image"
_KEY = "soak"
_EVERY = 2.0  # seconds between two looks at the memory
_LONGEST = 3600  # seconds that the reloads may take


@dataclass
class Memory:
    """MiB of the service and all its processes, with the seconds since the first look."""

    looks: list[tuple[float, float]] = field(default_factory=list)

    def slope(self, since: float) -> float:
        """MiB an hour, by least squares."""
        seconds, used = np.array([look for look in self.looks if look[0] >= since]).T
        return float(3600 * np.polyfit(seconds, used, 1)[0])

    def between(self, start: float, end: float) -> float:
        """Mean of a while."""
        return float(np.mean([used for at, used in self.looks if start <= at <= end]))


def main() -> None:
    parser = argument_parser(__doc__)
    add_arguments(parser)
    parser.add_argument("--minutes", type=float, default=10.0, help="beside those of the reloads")
    parser.add_argument("--reloads", type=int, default=100)
    arguments = parser.parse_args()
    half = max(2, round(30 * arguments.minutes))
    bundle = arguments.bundle or demo_bundle()
    environment = {
        **SERVICE,
        "SEMCORE_ENFORCE_EAGER": str(int(arguments.eager)),
        "SEMCORE_ADMIN_KEY": _KEY,
        "SEMCORE_CANARY_MARGIN": "1",  # other items are found differently well
    }
    with TemporaryDirectory() as folder:
        other = _other_bundle(bundle, Path(folder) / "other")
        environment["SEMCORE_JOURNAL"] = f"{folder}/journal"
        with serving(bundle, environment=environment) as url, watched(url) as memory:
            target, bodies = f"{url}{_PATH}", _bodies(bundle)
            load(target, bodies, CLIENTS, max(2, half // 5))
            began = time.perf_counter()
            loads = {"steady": load(target, bodies, CLIENTS, half)}
            reloading = memory.looks[-1][0]
            with loading(target, bodies, CLIENTS, _LONGEST) as running:
                _reload(url, [other, bundle], arguments.reloads)
            assert running.load is not None
            loads["reloads"] = running.load
            reloaded = memory.looks[-1][0]
            loads["steady again"] = load(target, bodies, CLIENTS, half)
            end = memory.looks[-1][0]
            seconds = time.perf_counter() - began
    steady = (loads["steady"].p99 + loads["steady again"].p99) / 2
    timeline(
        "soak",
        f"Memory under {CLIENTS} clients, {arguments.reloads} reloads in the shaded part",
        ("minutes", "MiB"),
        [(at / 60, used) for at, used in memory.looks],
        (reloading / 60, reloaded / 60),
        arguments.out,
    )
    span = min(60.0, (end - reloaded) / 2)
    ratios = {
        "p99_of_reloads_to_steady": loads["reloads"].p99 / steady,
        "memory_at_end_to_before_reloads": memory.between(end - span, end)
        / memory.between(reloading - span, reloading),
        "memory_mib_an_hour_at_end": memory.slope(reloaded),
        "errors": sum(met.errors for met in loads.values()),
        "answered": sum(met.answered for met in loads.values()),
        "refused": sum(met.refused for met in loads.values()),
    }
    measured = {name: _told(met) for name, met in loads.items()}
    record(
        "soak", ratios, {"seconds": seconds, "loads": measured, "memory": memory.looks},
        arguments.out,
    )  # fmt: skip


def _other_bundle(bundle: Path, out: Path) -> Path:
    """One of the same corpus and model in which other items can be found."""
    manifest = read_manifest(bundle)
    corpus = read_corpus(manifest.corpus.image_root)
    gallery = ("val", "test") if manifest.settings.gallery != ("val", "test") else ("test",)
    build_bundle(corpus, out, BuildSettings(gallery=gallery), like=bundle)
    model = bound_model(bundle)
    assert model is not None
    bind_bundle(out, model)
    return out


def _bodies(bundle: Path) -> list[str]:
    store = ItemStore(bundle / "items.sqlite", ("test",))
    texts = [item.caption for item in store.of_split("test", "text") if item.held_out]
    store.close()
    return [json.dumps({"query": f"@ {text}"}) for text in texts]


def _reload(url: str, bundles: list[Path], times: int) -> None:
    """Raises :class:`httpx.HTTPStatusError` where the service refuses one."""
    with httpx.Client(base_url=url, timeout=600, headers={"X-API-Key": _KEY}) as client:
        for turn in range(times):
            bundle = str(bundles[turn % len(bundles)])
            client.post("/admin/index/reload", json={"bundle": bundle}).raise_for_status()


def _told(met: Load) -> dict[str, float]:
    return {**asdict(met), "a_second": met.answered / met.seconds}


@contextmanager
def watched(url: str) -> Iterator[Memory]:
    """Looks at the memory of the service at ``url`` as long as the context lasts."""
    port = int(url.rpartition(":")[2])
    service = next(
        psutil.Process(found.pid)
        for found in psutil.net_connections("tcp")
        if found.status == psutil.CONN_LISTEN and found.laddr.port == port and found.pid
    )
    memory, ended = Memory(), Event()
    began = time.perf_counter()

    def look() -> None:
        while not ended.is_set():
            used = sum(process.memory_full_info().pss for process in family(service))
            at = round(time.perf_counter() - began, 1)
            memory.looks.append((at, round(used / 2**20, 1)))
            ended.wait(_EVERY)

    thread = Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
