"""A hostile client in a process of its own, for the service at the address that is its argument.

It says when it is ready. For each number that it reads it attacks for so many seconds, one attack
after the other, and says what it met. Meanwhile it keeps some connections open on which it sends as
slowly as it can.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from benchmarks.attacks import Attack, attacks

_SLOW = 8  # connections
_PAUSE = 0.5  # seconds between two bytes
_PATIENCE = 60.0
_LOST = "no answer"


def main(url: str) -> None:
    document = httpx.get(f"{url}/openapi.json", timeout=_PATIENCE).json()
    found = list(attacks(document))
    random.Random(0).shuffle(found)  # so that a short run meets all kinds
    turns = itertools.cycle(found)
    print(len(found), flush=True)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(_attack(url, turns, float(line)))), flush=True)


async def _attack(url: str, turns: Iterator[Attack], seconds: float) -> dict[str, dict[str, int]]:
    until = time.monotonic() + seconds
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 0
    met: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    slow = [asyncio.create_task(_slowly(host, port, number, met)) for number in range(_SLOW)]
    while time.monotonic() < until:
        attack = next(turns)
        status = await _sent(host, port, attack)
        met[status] += 1
        if status.startswith("5") or status == _LOST:
            failed[f"{status} {attack.name}"] += 1
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    return {"met": met, "failed": failed}


async def _sent(host: str, port: int, attack: Attack) -> str:
    """The status that an attack is answered with."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(attack.head)
                with suppress(ConnectionError):  # the answer may be there already
                    writer.write(attack.body)
                    if attack.length is None:
                        await writer.drain()
                    elif attack.length < 10**9:  # it ends too early
                        writer.write_eof()
                line = await reader.readline()
                while await reader.read(65_536):
                    pass
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return _LOST
    return line.decode("latin-1").split(" ")[1] if b" " in line else "closed"


async def _slowly(host: str, port: int, number: int, met: Counter[str]) -> None:
    """One connection after the other: half of them never end their head, half their body."""
    start = b"POST /search/text-to-image HTTP/1.1\r\nHost: service\r\n"
    if number % 2:
        start += b"Content-Type: application/json\r\nContent-Length: 200000\r\n\r\n"
    else:
        start += b"X-Slow: "
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            ended = asyncio.create_task(reader.read(-1))
            writer.write(start)
            while not ended.done():
                await asyncio.sleep(_PAUSE)
                writer.write(b"a")
            met["slow, ended"] += 1
            ended.cancel()
            writer.close()
        await asyncio.sleep(_PAUSE)


if __name__ == "__main__":
    main(sys.argv[1])
