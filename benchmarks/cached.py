"""Searches a second that the cache answers, beside a bare FastAPI endpoint with the same bytes.

Both are uvicorn processes of their own, asked in turn by the same 64 clients of wrk: once without
logs, and once with a line a request, which for the bare endpoint is uvicorn's own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from benchmarks.demo_engine import add_arguments
from benchmarks.measure import argument_parser, record
from benchmarks.wrk import Load, load
from cli.demo import SERVICE, demo_bundle
from cli.service_process import free_port, serving

CLIENTS = 64
PATH = "/search/text-to-image"
_APP = Path(__file__).with_name("bare.py")


def main() -> None:
    parser = argument_parser(__doc__, rounds=7)
    add_arguments(parser)
    parser.add_argument("--seconds", type=int, default=5, help="of each run")
    parser.add_argument(
        "--logs", nargs="+", choices=("quiet", "logged"), default=["quiet", "logged"]
    )
    arguments = parser.parse_args()
    environment = {**SERVICE, "SEMCORE_ENFORCE_EAGER": str(int(arguments.eager))}
    logged = {"SEMCORE_LOG_LEVEL": "info", "SEMCORE_LOG_FORMAT": "json"}
    bundle = arguments.bundle or demo_bundle()
    loads = {}
    for kind in arguments.logs:
        own = {**environment, **(logged if kind == "logged" else {})}
        loads[kind] = _loads(
            bundle, own, arguments.rounds, arguments.seconds, logs=kind == "logged"
        )
    rates = {
        f"{name}_{kind}": median(met.answered / met.seconds for met in runs)
        for kind, both in loads.items()
        for name, runs in both.items()
    }
    ratios = {
        f"cached_to_bare_{kind}": rates[f"cached_{kind}"] / rates[f"bare_{kind}"] for kind in loads
    }
    measured = {
        kind: {name: [asdict(met) for met in runs] for name, runs in both.items()}
        for kind, both in loads.items()
    }
    record("cached", {**ratios, **rates}, measured, arguments.out)


def _loads(
    bundle: Path, environment: dict[str, str], rounds: int, seconds: int, *, logs: bool
) -> dict[str, list[Load]]:
    """What the clients met at the service and at the bare endpoint, in turn."""
    query = {"query": "two red boats"}
    loads: dict[str, list[Load]] = {"cached": [], "bare": []}
    with serving(bundle, environment=environment) as service:
        for _ in range(2):  # the first answer is not from the cache, and says so
            answer = httpx.post(f"{service}{PATH}", json=query, timeout=60).raise_for_status()
        with _bare(answer.content, logs=logs) as bare:
            for turn in range(rounds + 1):
                for name, url in (("cached", service), ("bare", bare)):
                    met = load(f"{url}{PATH}", [json.dumps(query)], CLIENTS, seconds)
                    assert not met.errors
                    if turn:
                        loads[name].append(met)
    return loads


@contextmanager
def _bare(answer: bytes, *, logs: bool) -> Iterator[str]:
    """The address of the bare endpoint."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "answer"
        file.write_bytes(answer)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, str(_APP), str(file), str(port), PATH, str(int(logs))]
        with subprocess.Popen(command) as process:
            try:
                while not _answers(url):
                    time.sleep(0.2)
                yield url
            finally:
                process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.post(f"{url}{PATH}").is_success
    except httpx.ConnectError:
        return False


if __name__ == "__main__":
    main()
