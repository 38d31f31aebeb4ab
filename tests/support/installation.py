"""An installation of the product with some of its extras: links to what is installed here."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PRODUCT = "semcore"
PACKAGES = ("cli", "offline", "semcore", "service")


def closure(extras: Iterable[str] = (), of: str = PRODUCT) -> dict[str, Distribution]:
    """The distributions that installing the product, or another package, with its extras brings, by
    name; what other kinds of machines need is not among them."""
    found: dict[str, Distribution] = {}
    todo = [(of, frozenset(extras))]
    done: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, chosen = todo.pop()
        if (name, chosen) in done:
            continue
        done.add((name, chosen))
        try:
            one = distribution(name)
        except PackageNotFoundError:
            continue
        found[canonicalize_name(one.name)] = one
        for line in one.requires or ():
            needed = Requirement(line)
            contexts = [{"extra": extra} for extra in ("", *chosen)]
            if needed.marker is None or any(map(needed.marker.evaluate, contexts)):
                todo.append((needed.name, frozenset(needed.extras)))
    return found


class Installation:
    """A folder of links, and Python that finds no other package than those in it."""

    def __init__(self, folder: Path, extras: Iterable[str] = ()) -> None:
        self.distributions = closure(extras)
        self._folder = folder
        for package in PACKAGES:
            (folder / package).symlink_to(ROOT / package)
        for name, one in self.distributions.items():
            if name == PRODUCT:
                continue
            tops = {file.parts[0] for file in one.files or () if file.parts[0] != ".."}
            for top in tops - {"__pycache__"}:
                if not (folder / top).exists():
                    (folder / top).symlink_to(Path(str(one.locate_file(top))))

    def python(
        self, arguments: Sequence[str], **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """What Python does with these arguments."""
        own = {**os.environ, **environment, "PYTHONPATH": str(self._folder)}
        command = [sys.executable, "-S", "-P", *arguments]
        return subprocess.run(command, env=own, capture_output=True, text=True, check=False)

    def semcore(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of the product."""
        return self.python(["-m", "cli", *arguments], **environment)
