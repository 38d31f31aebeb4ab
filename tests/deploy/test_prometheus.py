"""A real Prometheus scrapes the live service: every panel has data, every rule holds."""

import math
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cli.service_process import free_port
from deploy.grafana.dashboard import ROWS

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/rules.yml"
PATIENCE = 60  # seconds


@pytest.fixture(scope="module")
def prometheus(service_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; scraping every second what searches leave behind."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [service_url.split("//")[1]]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]  # fmt: skip
    with subprocess.Popen(command) as process:
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def ask(url: str, query: str) -> list[dict[str, Any]]:
    response = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=10)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["data"]["result"]
    return found


def has_data(url: str, query: str) -> bool:
    try:
        found = ask(url, query)
    except httpx.ConnectError:
        return False
    return bool(found) and all(math.isfinite(float(series["value"][1])) for series in found)


def test_every_panel_has_data(prometheus: str, service_url: str, trained: Path) -> None:
    queries = [query for graphs in ROWS.values() for graph in graphs for query, _ in graph.queries]
    missing = dict.fromkeys(queries)
    picture = next(trained.parent.glob("corpus*/images/**/*.png")).read_bytes()
    until = time.monotonic() + PATIENCE
    turn = 0
    while missing and time.monotonic() < until:
        turn += 1
        body = {"query": f"two boats {turn // 2}", "verify": "always"}
        httpx.post(f"{service_url}/search/text-to-image", json=body, timeout=60)
        files, data = {"image": picture}, {"top_k": str(1 + turn % 20), "verify": "always"}
        httpx.post(f"{service_url}/search/image-to-text", files=files, data=data, timeout=60)
        missing = {query: None for query in missing if not has_data(prometheus, query)}
        time.sleep(0.5)
    assert not missing


def test_rules_are_sound_and_no_alert_is_raised_in_peace(prometheus: str) -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)
    groups = httpx.get(f"{prometheus}/api/v1/rules", timeout=10).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == sum(len(g["rules"]) for g in yaml.safe_load(RULES.read_text())["groups"])
    assert [rule["lastError"] for rule in rules if rule.get("lastError")] == []
    raised = {rule["name"] for rule in rules if rule.get("state") == "firing"}
    assert raised <= {"SemcoreIllegalIdentifiers"}  # other tests search without the constraint
