"""Container, compose and dashboard files fit each other and the program."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import REGISTRY

from service import metrics  # noqa: F401  (registers)
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_compose_names_real_settings_files_and_targets() -> None:
    services = compose()["services"]
    assert services.keys() == {"service", "redis", "prometheus", "grafana"}
    known = {f"SEMCORE_{name.upper()}" for name in Settings.model_fields} | {"REDIS_URL"}
    assert services["service"]["environment"].keys() <= known
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("${") or (ROOT / source).exists()
        for needed in service.get("depends_on", []):
            assert needed in services
        assert "build" in service or ":" in service["image"]
    stages = re.findall(r"^FROM \S+ AS (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert stages == ["cpu", "gpu"]


def test_images_are_pinned_and_run_without_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for stage in text.split("\nFROM ")[1:]:
        assert ":" in stage.split()[0]
        assert "latest" not in stage.split()[0]
        assert "\nUSER semcore" in stage
        assert "\nHEALTHCHECK" in stage
    allowed = (ROOT / ".dockerignore").read_text()
    for source in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        for name in source.split():
            assert (ROOT / name).exists()
            assert f"!{name}" in allowed


def test_prometheus_scrapes_the_service() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
    assert config["scrape_configs"][0]["static_configs"][0]["targets"] == ["service:8080"]


def test_every_panel_asks_for_metrics_that_exist() -> None:
    board = json.loads((ROOT / "deploy/grafana/dashboards/semcore.json").read_text())
    known = {
        sample
        for metric in REGISTRY.collect()
        for sample in (metric.name, f"{metric.name}_total", f"{metric.name}_bucket")
    }
    for panel in board["panels"]:
        for target in panel["targets"]:
            names = re.findall(r"semcore_\w+", target["expr"])
            assert names
            assert set(names) <= known
