"""A report names the program that ran: the commit of its checkout, else the version."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from offline import version as module
from offline.version import commit, package_version


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module, in a checkout of its own."""
    file = tmp_path / "offline" / "version.py"
    file.parent.mkdir()
    file.write_text("")
    monkeypatch.setattr(module, "__file__", str(file))
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@b")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "first")
    return file


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_names_the_commit_and_whether_it_was_changed(source: Path) -> None:
    git(source.parent, "add", ".")
    git(source.parent, "commit", "--quiet", "--message", "second")
    head = git(source.parent, "rev-parse", "HEAD")
    assert commit() == f"commit {head[:12]}"
    source.write_text("changed")
    assert commit() == f"commit {head[:12]}-dirty"


def test_a_checkout_of_another_project_is_none(source: Path) -> None:
    """In which the package lies in an environment that git ignores."""
    assert commit() == f"semcore {version('semcore')}"


def test_without_git_there_is_the_version_of_the_package(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(source.parent, "add", ".")
    monkeypatch.setenv("PATH", "")
    assert commit() == f"semcore {version('semcore')}"


def test_a_package_may_be_there_as_its_build_for_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, number in (("swift-cpu", "1.2"), ("slow", "3.4"), ("slow-cpu", "5.6")):
        folder = tmp_path / f"{name.replace('-', '_')}-{number}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}")
    assert package_version("swift") == "1.2"
    assert package_version("slow") == "3.4"
    assert package_version("swiftest") == "absent"
