"""No request that can be thought of brings forth a 5xx: by the contract, and by broken pictures."""

import asyncio
import hashlib
import io
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest
from live import fake_service, until_ready
from PIL import Image

MUTATIONS = 2000
AT_A_TIME = 8
KEY = "a-key"
# That bytes are no picture, a folder no bundle, a cursor none of ours and the time that a client
# allows too short, no schema can say.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = [200, 400, 404, 408, 409, 413, 415, 422]
"""


async def test_by_the_contract(few: Path, tmp_path: Path) -> None:
    """Schemathesis with all its checks; what it stops at is in its output."""
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    keys = [{"name": "fuzz", "sha256": digest, "scopes": ["search", "admin"]}]
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    settings = {
        "SEMCORE_KEYS": str(tmp_path / "keys.json"), "SEMCORE_JOURNAL": str(tmp_path / "journal"),
        "SEMCORE_LOG_LEVEL": "warning", "REDIS_URL": "",
    }  # fmt: skip
    with fake_service(few, seconds_a_beam=0.0, **settings) as (process, url):
        await until_ready(url)
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json",
            "--checks", "all", "--max-examples", "25", "--seed", "1", "--header",
            f"X-API-Key: {KEY}", "--request-timeout", "300", "--no-color",
        ]  # fmt: skip
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, cwd=tmp_path
        )
        short = "\n".join(line[:300] for line in done.stdout.splitlines())
        assert done.returncode == 0, short[-8000:]
        assert process.poll() is None


def pictures() -> list[bytes]:
    """One of each format, small enough that a mutation often hits something that matters."""
    found = []
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        content = io.BytesIO()
        image = Image.effect_mandelbrot((24, 16), (-2, -1, 1, 1), 50).convert("RGB")
        image.save(content, kind)
        found.append(content.getvalue())
    return found


def mutated(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 32))):
        place = rng.randrange(len(data))
        match rng.randrange(5):
            case 0:
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                data[place] = rng.choice((0, 1, 127, 128, 255))
            case 2:
                del data[place : place + rng.randrange(1, 9)]
            case 3:
                data[place:place] = rng.randbytes(rng.randrange(1, 9))
            case _:
                other = rng.randrange(len(data))
                data[place : place + 4] = data[other : other + 4]
        if not data:
            data = bytearray(b"\0")
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.1 else data)


async def test_by_broken_pictures(few: Path) -> None:
    rng = random.Random(0)
    originals = pictures()
    settings = {"REDIS_URL": "", "SEMCORE_CACHE_SIZE": "0", "SEMCORE_LOG_LEVEL": "warning"}
    with fake_service(few, seconds_a_beam=0.0, **settings) as (process, url):
        await until_ready(url)
        statuses: Counter[int] = Counter()
        memory: list[int] = []
        places = asyncio.Semaphore(AT_A_TIME)

        async def send(client: httpx.AsyncClient, content: bytes) -> None:
            async with places:
                data = {"top_k": "1", "verify": "never", "beam_width": "2"}
                response = await client.post(
                    "/search/image-to-text", files={"image": content}, data=data
                )
                statuses[response.status_code] += 1

        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            for _ in range(4):
                part = (mutated(rng.choice(originals), rng) for _ in range(MUTATIONS // 4))
                await asyncio.gather(*(send(client, content) for content in part))
                memory.append(psutil.Process(process.pid).memory_info().rss)
        assert statuses.total() == MUTATIONS
        assert statuses.keys() <= {200, 413, 415}
        assert min(statuses[200], statuses[415]) > MUTATIONS // 20
        # After the first quarter has warmed it up, it grows no more.
        assert memory[-1] < memory[0] + 30_000_000, memory


@pytest.mark.parametrize("depth", [50, 20_000, 100_000])
async def test_by_nested_json(few: Path, depth: int) -> None:
    with fake_service(few, seconds_a_beam=0.0, REDIS_URL="") as (_, url):
        await until_ready(url)
        nested = '{"query": "a boat", "filter": ' + '{"not": ' * depth
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            response = await client.post(
                "/search/text-to-image",
                content=nested + "{}" + "}" * (depth + 1),
                headers={"content-type": "application/json"},
            )
            assert response.status_code in (400, 413, 422), response.text
            assert set(response.json()) == {"error"}
