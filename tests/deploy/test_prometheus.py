"""A real Prometheus scrapes the live service: every panel has data, every rule holds."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_process import DEPLOYED, PATIENCE, prometheus_scraping, search_until_seen

from deploy.grafana.dashboard import ROWS

RULES = DEPLOYED / "rules.yml"
ALERTS = Path(__file__).with_name("alerts.yml")


@pytest.fixture(scope="module")
def prometheus(service_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus_scraping(service_url, tmp_path_factory.mktemp("prometheus")) as url:
        yield url


def test_every_panel_has_data(prometheus: str, service_url: str, trained: Path) -> None:
    queries = [query for graphs in ROWS.values() for graph in graphs for query, _ in graph.queries]
    picture = next(trained.parent.glob("corpus*/images/**/*.png")).read_bytes()
    assert search_until_seen(prometheus, service_url, picture, queries) == []


def test_rules_are_sound_and_no_alert_is_raised_in_peace(prometheus: str) -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)
    until = time.monotonic() + PATIENCE
    while (rules := worked_out(prometheus)) is None or (raised(rules) and time.monotonic() < until):
        time.sleep(0.5)  # a scrape that came late may raise one for a moment
    assert len(rules) == sum(len(g["rules"]) for g in yaml.safe_load(RULES.read_text())["groups"])
    assert [rule["lastError"] for rule in rules if rule.get("lastError")] == []
    assert raised(rules) == set()


def worked_out(prometheus: str) -> list[dict[str, Any]] | None:
    """The rules, once all were evaluated."""
    answer = httpx.get(f"{prometheus}/api/v1/rules", timeout=60)
    if answer.status_code == 503:
        return None
    rules = [rule for group in answer.json()["data"]["groups"] for rule in group["rules"]]
    return rules if all(rule["health"] != "unknown" for rule in rules) else None


def raised(rules: list[dict[str, Any]]) -> set[str]:
    """Alerts, but for one: other tests search without the constraint."""
    states = {rule["name"]: rule["state"] for rule in rules if rule["type"] == "alerting"}
    return {name for name, state in states.items() if state != "inactive"} - {
        "SemcoreIllegalIdentifiers"
    }


def test_every_alert_fires_where_it_should() -> None:
    done = subprocess.run(["promtool", "test", "rules", ALERTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    tried = re.findall(r'alertname="(\w+)", alertstate="firing"', ALERTS.read_text())
    assert set(tried) == alerts
