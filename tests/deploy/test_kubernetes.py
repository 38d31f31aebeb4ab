"""Manifests keep to Kubernetes's schemas, and fit each other and the program."""

from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings

FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
BASE = FOLDER / "base"


@cache
def kustomization(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return loaded


def documents() -> list[dict[str, Any]]:
    files = (BASE / name for name in kustomization(BASE)["resources"])
    return [one for file in files for one in yaml.safe_load_all(file.read_text())]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in documents() if one["kind"] == kind]


def the_service() -> dict[str, Any]:
    (found,) = [one for one in of_kind("StatefulSet") if one["metadata"]["name"] == "semcore"]
    return found


@pytest.mark.parametrize("document", documents(), ids=lambda one: f"{one['kind']}")
def test_keeps_to_the_schema(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.33", strict=True)


def test_all_files_are_used() -> None:
    files = {file.name for file in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(kustomization(BASE)["resources"])


def test_selectors_meet_their_pods() -> None:
    workloads = of_kind("StatefulSet")
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in workloads]
    for one in workloads:
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"] == labels
    for service in of_kind("Service"):
        assert service["spec"]["selector"] in pods
    (policy,) = of_kind("NetworkPolicy")
    (entry,) = policy["spec"]["ingress"]
    allowed = [one["podSelector"]["matchLabels"] for one in entry["from"]]
    assert policy["spec"]["podSelector"]["matchLabels"] in pods
    assert allowed == [the_service()["spec"]["template"]["metadata"]["labels"]]
    (budget,) = of_kind("PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"] in pods
    (scaler,) = of_kind("HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] == the_service()["metadata"]["name"]
    assert "replicas" not in the_service()["spec"]  # which is the scaler's to choose


def test_the_service_is_what_the_program_is() -> None:
    replicas = the_service()
    pod = replicas["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    known = {f"SEMCORE_{name.upper()}" for name in Settings.model_fields} | {"REDIS_URL", "HOME"}
    values = {variable["name"]: variable["value"] for variable in container["env"]}
    assert values.keys() <= known
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"] for volume in pod["volumes"]}
    claims = {claim["metadata"]["name"] for claim in replicas["spec"]["volumeClaimTemplates"]}
    assert set(mounts.values()) == volumes | claims
    for name in ("BUNDLE", "MODEL", "IMAGE_ROOT", "JOURNAL", "KEYS"):
        assert f"/{values[f'SEMCORE_{name}'].split('/')[1]}" in mounts
    assert mounts[values["SEMCORE_JOURNAL"]] in claims
    routes = {container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}
    assert routes == {"/readyz", "/healthz"}
    assert pod["terminationGracePeriodSeconds"] > float(values["SEMCORE_DRAIN_SECONDS"])
    for one in of_kind("StatefulSet"):
        spec = one["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert all(c["securityContext"]["readOnlyRootFilesystem"] for c in spec["containers"])


def test_the_patches_for_gpus_have_something_to_patch() -> None:
    gpu = kustomization(FOLDER / "gpu")
    assert gpu["resources"] == ["../base"]
    (patch,) = gpu["patches"]
    target = the_service()
    assert patch["target"] == {"kind": target["kind"], "name": target["metadata"]["name"]}
    for step in yaml.safe_load(patch["patch"]):
        place: Any = target
        *above, last = step["path"].strip("/").split("/")
        for part in above:
            place = place[int(part)] if isinstance(place, list) else place[part]
        assert (last in place) == (step["op"] == "replace")
