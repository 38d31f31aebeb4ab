"""What a lookup in the cache costs a search while Redis is well, hangs, talks nonsense, or is dead.

One lookup after the other, by the cache of the service and a Redis of its own.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.measure import argument_parser, record
from cli.service_process import free_port
from service.cache.redis_cache import RedisCache
from service.cache.ttl import Lifetime

_PAUSE = 0.002  # seconds between two lookups


def main() -> None:
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each fault and round")
    arguments = parser.parse_args()
    taken = asyncio.run(_run(arguments.rounds, arguments.seconds))
    measured = {
        state: {
            "lookups": len(seconds),
            "mean_ms": 1000 * statistics.fmean(seconds),
            "p99_ms": 1000 * statistics.quantiles(seconds, n=100)[98],
            "most_ms": 1000 * max(seconds),
        }
        for state, seconds in taken.items()
    }
    healthy = measured["healthy"]["most_ms"]
    ratios = {f"most_ms_{state}": found["most_ms"] for state, found in measured.items()}
    ratios["most_ms_beyond_healthy"] = max(ratios.values()) - healthy
    record("redis_faults", ratios, measured, arguments.out)


async def _run(rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds of each lookup by the state that Redis is in."""
    taken: dict[str, list[float]] = {"healthy": [], "hung": [], "dead": [], "garbage": []}
    port = free_port()

    async def ask(state: str) -> None:
        cache = RedisCache(f"redis://127.0.0.1:{port}/0", Lifetime(60))
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or len(taken[state]) < 2:
            began = time.perf_counter()
            await cache.get(f"{len(taken[state])}")
            taken[state].append(time.perf_counter() - began)
            await asyncio.sleep(_PAUSE)
        await cache.close()

    for _ in range(rounds):
        async with _redis(port) as server:
            await ask("healthy")
            server.send_signal(signal.SIGSTOP)
            await ask("hung")
        await ask("dead")
        nonsense = await asyncio.start_server(_garbage, "127.0.0.1", port)
        await ask("garbage")
        nonsense.close()
    return taken


@asynccontextmanager
async def _redis(port: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            while not await _listens(port):
                await asyncio.sleep(0.05)
            yield process
        finally:
            process.kill()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        writer.write(b"$-7\r\nnonsense\x00\xff")
    writer.close()


if __name__ == "__main__":
    main()
