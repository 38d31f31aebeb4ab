"""A real Prometheus with the rules of deployment, and searches for it to see."""

import math
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from cli.service_process import free_port

DEPLOYED = Path(__file__).parents[2] / "deploy/prometheus"
PATIENCE = 300  # seconds


@contextmanager
def prometheus_scraping(service_url: str, folder: Path) -> Iterator[str]:
    """Its address; it asks the service every second, and keeps its data in the folder."""
    config = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOYED / "rules.yml")]
    target = service_url.split("//")[1]
    config["scrape_configs"] = [{"job_name": "semcore", "static_configs": [{"targets": [target]}]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]  # fmt: skip
    with subprocess.Popen(command) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def search_until_seen(
    prometheus: str, service_url: str, picture: bytes, queries: Sequence[str]
) -> list[str]:
    """Search both ways until each of the queries has data; those that had none in time."""
    missing = list(dict.fromkeys(queries))
    until = time.monotonic() + PATIENCE
    turn = 0
    while missing and time.monotonic() < until:
        turn += 1
        body = {"query": f"two boats {turn // 2}", "verify": "always"}
        httpx.post(f"{service_url}/search/text-to-image", json=body, timeout=300)
        files, data = {"image": picture}, {"top_k": str(1 + turn % 20), "verify": "always"}
        httpx.post(f"{service_url}/search/image-to-text", files=files, data=data, timeout=300)
        missing = [query for query in missing if not _has_data(prometheus, query)]
        time.sleep(0.5)
    return missing


def _has_data(url: str, query: str) -> bool:
    try:
        response = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=60)
    except httpx.TransportError:
        return False
    if response.status_code == 503:  # it listens before it is ready
        return False
    assert response.status_code == 200, response.text
    found = response.json()["data"]["result"]
    return bool(found) and all(math.isfinite(float(series["value"][1])) for series in found)
