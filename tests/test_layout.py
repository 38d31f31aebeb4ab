"""The tree is as the house rules have it: small packages of short modules, and a test for each."""

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
MOST_LINES = 350
MOST_MODULES = {"service": 16, "offline": 16, "semcore": 16, "cli": 26}
_NO_MODULES = {"__init__.py", "__main__.py", "sitecustomize.py"}

MODULES = [
    file.relative_to(ROOT)
    for package in MOST_MODULES
    for file in sorted((ROOT / package).rglob("*.py"))
    if file.name not in _NO_MODULES
]


def mirrored(module: Path) -> Path:
    """Where the tests of a module are."""
    return Path("tests") / module.with_name(f"test_{module.name}")


def test_there_are_modules() -> None:
    assert len(MODULES) > 150
    assert {module.parts[0] for module in MODULES} == set(MOST_MODULES)
    assert mirrored(Path("service/cache/ttl.py")) == Path("tests/service/cache/test_ttl.py")


@pytest.mark.parametrize("package", MOST_MODULES)
def test_a_package_holds_few_modules(package: str) -> None:
    counts = Counter(module.parent for module in MODULES if module.parts[0] == package)
    full = {folder: count for folder, count in counts.items() if count > MOST_MODULES[package]}
    assert full == {}


def test_a_module_is_short() -> None:
    files = [file for package in MOST_MODULES for file in (ROOT / package).rglob("*.py")]
    lines = {file.relative_to(ROOT): len(file.read_text().splitlines()) for file in files}
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


@pytest.mark.parametrize("package", MOST_MODULES)
def test_each_module_has_its_tests(package: str) -> None:
    mine = [module for module in MODULES if module.parts[0] == package]
    assert [module for module in mine if not (ROOT / mirrored(module)).is_file()] == []


@pytest.mark.parametrize("package", MOST_MODULES)
def test_each_file_of_tests_has_its_module(package: str) -> None:
    expected = {mirrored(module) for module in MODULES}
    files = {file.relative_to(ROOT) for file in (TESTS / package).rglob("test_*.py")}
    assert sorted(files - expected) == []
