"""Container, compose and dashboard files fit each other and the program."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from deploy.grafana.dashboard import FILE, dashboard
from service.settings import Settings

ROOT = Path(__file__).parents[2]


class Overlay(yaml.SafeLoader):
    """Knows compose's own tags."""


Overlay.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


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
            named = source in (compose()["volumes"] or {})
            assert named or source.startswith("${") or (ROOT / source).exists()
        for needed in service.get("depends_on", []):
            assert needed in services
        assert "build" in service or ":" in service["image"]
    stages = re.findall(r"^FROM \S+ AS (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert stages == ["cpu", "gpu"]


def test_replicas_share_redis_and_the_bundle_alone() -> None:
    overlay = yaml.load((ROOT / "deploy/compose/replicas.yml").read_text(), Overlay)
    base = compose()["services"]
    second, proxy = overlay["services"]["second"], overlay["services"]["proxy"]
    assert second["extends"] == {"file": "docker-compose.yml", "service": "service"}
    assert second["volumes"] == ["second-journal:/journal"]
    assert "journal:/journal" in base["service"]["volumes"]
    assert "second-journal" in overlay["volumes"]
    assert overlay["services"]["service"]["ports"] == second["ports"] == []
    assert proxy["ports"] == base["service"]["ports"]
    folder = proxy["volumes"][0].split(":")[0]
    config = (ROOT / folder / "haproxy.cfg").read_text()
    names = re.findall(r"^    server \w+ (\w+):8080$", config, re.MULTILINE)
    assert names == ["service", "second"] == proxy["depends_on"]


def test_images_are_pinned_and_run_without_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for stage in text.split("\nFROM ")[1:]:
        assert ":" in stage.split()[0]
        assert "latest" not in stage.split()[0]
        assert "\nUSER semcore" in stage
        assert "\nHEALTHCHECK" in stage
        # A change of the sources installs no dependency anew.
        assert stage.index("--require-hashes") < stage.index("COPY cli")
    allowed = (ROOT / ".dockerignore").read_text()
    for source in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        for name in source.split():
            assert (ROOT / name).exists()
            assert f"!{name}" in allowed


def test_prometheus_scrapes_all_services() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (found,) = config["scrape_configs"][0]["dns_sd_configs"]
    second = yaml.load((ROOT / "deploy/compose/replicas.yml").read_text(), Overlay)["services"]
    assert set(found["names"]) == {"service", "second"} == second.keys() - {"proxy"}
    assert found["port"] == 8080


def test_gpus_are_reserved_by_an_overlay() -> None:
    overlay = yaml.safe_load((ROOT / "deploy/compose/gpu.yml").read_text())
    service = overlay["services"]["service"]
    assert service["build"]["target"] == "gpu"
    assert service["gpus"] == "all"


def test_the_dashboard_is_what_its_code_makes() -> None:
    assert FILE.read_text() == dashboard()
    board = json.loads(FILE.read_text())
    assert board["uid"] == "semcore"
    titles = [panel["title"] for panel in board["panels"]]
    assert len(titles) == len(set(titles))
