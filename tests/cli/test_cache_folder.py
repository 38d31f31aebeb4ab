"""What commands keep lies below the user's cache, anew for each state of the code."""

from pathlib import Path

import pytest

from cli import cache_folder as module
from cli.cache_folder import cache_folder


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The code of an installation, as far as it counts."""
    folder = tmp_path / "sources"
    for package in ("offline", "semcore", "service", "cli"):
        (folder / package / "part").mkdir(parents=True)
        (folder / package / "part" / "module.py").write_text("ONE = 1\n")
    monkeypatch.setattr(module, "__file__", str(folder / "cli" / "cache_folder.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def test_lies_below_the_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder("demo").parent == tmp_path / "cache" / "semcore"
    assert cache_folder("demo").name.startswith("demo-")
    assert cache_folder("demo") != cache_folder("models")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder("demo").parent == tmp_path / ".cache" / "semcore"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("demo").parent == tmp_path / ".cache" / "semcore"


@pytest.mark.parametrize("package", ["offline", "semcore", "service", "cli"])
def test_another_state_of_the_code_has_another_folder(sources: Path, package: str) -> None:
    before = cache_folder("demo")
    assert cache_folder("demo") == before
    file = sources / package / "part" / "module.py"
    file.write_text("ONE = 2\n")
    assert cache_folder("demo") != before
    file.write_text("ONE = 1\n")
    assert cache_folder("demo") == before


def test_what_makes_nothing_counts_for_nothing(sources: Path) -> None:
    before = cache_folder("demo")
    (sources / "tests").mkdir()
    (sources / "tests" / "module.py").write_text("ONE = 1\n")
    (sources / "service" / "page.html").write_text("<html>")
    assert cache_folder("demo") == before
