"""Which program runs, for reports."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def commit() -> str:
    """The commit of the checkout that runs, or the version of the package."""
    file = Path(__file__)
    try:
        # A package may lie in an environment within another project's checkout.
        _git(file.parent, "ls-files", "--error-unmatch", file.name)
        return f"commit {_git(file.parent, 'describe', '--always', '--dirty', '--abbrev=12')}"
    except (OSError, subprocess.CalledProcessError):
        return f"semcore {package_version('semcore')}"


def package_version(package: str) -> str:
    """That of a package or its build for CPUs."""
    for name in (package, f"{package}-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "absent"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
