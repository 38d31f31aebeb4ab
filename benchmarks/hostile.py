"""A hostile client beside eight honest ones, in turns with one more honest client in its place.

The hostile one attacks every route and field of the OpenAPI document (``benchmarks.attacks``), and
sends slowly on some connections meanwhile. ``/healthz`` is asked twenty times a second, and the
memory of the service is looked at.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from benchmarks.measure import argument_parser, record
from benchmarks.plot import bars
from benchmarks.soak import watched
from cli.demo import SERVICE, demo_bundle
from cli.service_process import free_port, serving
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import ItemStore

_HONEST = 8
_PROBES = 0.05  # seconds between two
_FAKE = Path(__file__).parents[1] / "tests" / "support" / "fake_serve.py"
_FILTERED = 10  # every such search has a filter, always the same


@dataclass
class Arm:
    """Seconds that honest searches and probes took beside one neighbour."""

    searches: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        return {
            "searches": len(self.searches),
            "statuses": dict(self.statuses),
            "p50_ms": 1000 * float(np.quantile(self.searches, 0.5)),
            "p99_ms": 1000 * float(np.quantile(self.searches, 0.99)),
            "healthz": len(self.probes),
            "healthz_p50_ms": 1000 * float(np.quantile(self.probes, 0.5)),
            "healthz_p99_ms": 1000 * float(np.quantile(self.probes, 0.99)),
            "healthz_p999_ms": 1000 * float(np.quantile(self.probes, 0.999)),
            "healthz_most_ms": 1000 * max(self.probes),
        }


def main() -> None:
    parser = argument_parser(__doc__, rounds=10)
    parser.add_argument("--bundle", type=Path, help="in place of the demo's")
    parser.add_argument("--minutes", type=float, default=10.0, help="with each of the neighbours")
    parser.add_argument("--fake", action="store_true", help="on the fake engine of the tests")
    arguments = parser.parse_args()
    bundle = arguments.bundle or demo_bundle()
    texts = _texts(bundle)
    seconds = 60 * arguments.minutes / arguments.rounds
    arms = {"hostile": Arm(), "honest": Arm()}
    met: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    with TemporaryDirectory() as folder:
        own = {**SERVICE, "SEMCORE_JOURNAL": f"{folder}/journal", "REDIS_URL": ""}
        with (
            _served(bundle, own, fake=arguments.fake) as url,
            watched(url) as memory,
            _hostile(url) as client,
        ):
            # All is warm then.
            asyncio.run(_round(url, texts, _HONEST + 1, min(seconds, 20), Arm()))
            begins = memory.looks[-1][0]
            for _ in range(arguments.rounds):
                told = _beside(client, url, texts, seconds, arms["hostile"])
                met.update(told["met"])
                failed.update(told["failed"])
                asyncio.run(_round(url, texts, _HONEST + 1, seconds, arms["honest"]))
            end = memory.looks[-1][0]
    measured = {name: arm.told() for name, arm in arms.items()}
    hostile, honest = measured["hostile"], measured["honest"]
    span = (end - begins) / 5
    ratios = {
        "honest_p99_beside_hostile_to_honest": hostile["p99_ms"] / honest["p99_ms"],
        "honest_p50_beside_hostile_to_honest": hostile["p50_ms"] / honest["p50_ms"],
        "healthz_p999_ms": hostile["healthz_p999_ms"],
        "healthz_p999_ms_beside_honest": honest["healthz_p999_ms"],
        "memory_last_to_second_fifth": memory.between(end - span, end)
        / memory.between(begins + span, begins + 2 * span),
        "memory_mib_an_hour_in_the_second_half": memory.slope((begins + end) / 2),
        "hostile_requests": sum(met.values()),
        "hostile_5xx": sum(n for status, n in met.items() if status.startswith("5")),
        "honest_failures": sum(
            n for status, n in arms["hostile"].statuses.items() if status != 200
        ),
    }
    _draw(measured, arguments.out)
    record(
        "hostile",
        ratios,
        {
            "engine": "fake" if arguments.fake else "vLLM",
            "bundle": read_manifest(bundle).corpus.name,
            "minutes": arguments.minutes,
            "rounds": arguments.rounds,
            **measured,
            "attacks": {"met": dict(met), "failed": dict(failed.most_common(50))},
            "memory": memory.looks,
        },
        arguments.out,
    )


@contextmanager
def _served(bundle: Path, own: dict[str, str], *, fake: bool) -> Iterator[str]:
    if not fake:
        with serving(bundle, environment=own) as url:
            yield url
        return
    port = free_port()
    command = [sys.executable, str(_FAKE), "serve", str(bundle), "--port", str(port)]
    place = {**os.environ, **own, "PYTHONPATH": f"{_FAKE.parent}:{_FAKE.parents[2]}"}
    with subprocess.Popen(command, env=place) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            while not _is_ready(url):
                time.sleep(0.5)
            yield url
        finally:
            process.kill()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _texts(bundle: Path) -> list[str]:
    store = ItemStore(bundle / "items.sqlite", ("test",))
    texts = [item.caption for item in store.of_split("test", "text") if item.held_out]
    store.close()
    return texts


@contextmanager
def _hostile(url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.hostile_client", url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        client.stdout.readline()  # it is ready
        yield client
        client.terminate()


def _beside(
    client: subprocess.Popen[str], url: str, texts: list[str], seconds: float, arm: Arm
) -> dict[str, dict[str, int]]:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(f"{seconds}\n")
    client.stdin.flush()
    asyncio.run(_round(url, texts, _HONEST, seconds, arm))
    told: dict[str, dict[str, int]] = json.loads(client.stdout.readline())
    return told


_queries = count()


async def _round(url: str, texts: list[str], clients: int, seconds: float, arm: Arm) -> None:
    until = time.perf_counter() + seconds
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:

        async def search() -> None:
            while time.perf_counter() < until:
                number = next(_queries)
                body: dict[str, Any] = {"query": f"{number} {texts[number % len(texts)]}"}
                if number % _FILTERED == 0:
                    body["filter"] = {"not": {"field": "none", "equals": 1}}
                began = time.perf_counter()
                answer = await client.post("/search/text-to-image", json=body)
                arm.searches.append(time.perf_counter() - began)
                arm.statuses[answer.status_code] += 1

        async def probe() -> None:
            while time.perf_counter() < until:
                began = time.perf_counter()
                (await client.get("/healthz")).raise_for_status()
                arm.probes.append(time.perf_counter() - began)
                await asyncio.sleep(_PROBES)

        await asyncio.gather(probe(), *(search() for _ in range(clients)))


def _draw(measured: dict[str, dict[str, Any]], out: Path | None) -> None:
    named = {
        f"beside {'a' if arm == 'hostile' else 'one more'} {arm} client": told
        for arm, told in measured.items()
    }
    panels = {
        "honest searches": {"50 %": "p50_ms", "99 %": "p99_ms"},
        "/healthz": {
            "50 %": "healthz_p50_ms",
            "99 %": "healthz_p99_ms",
            "99.9 %": "healthz_p999_ms",
        },
    }
    bars(
        "hostile",
        f"{_HONEST} honest clients beside a hostile one, and beside one more honest one",
        "milliseconds",
        {
            title: {
                who: {group: told[key] for group, key in groups.items()}
                for who, told in named.items()
            }
            for title, groups in panels.items()
        },
        out,
        logarithmic=False,
    )


if __name__ == "__main__":
    main()
