"""Whether the vLLM that is installed has what the service builds on.

vLLM changes its inner parts from version to version without notice. What the service takes from
them stands in :mod:`service.engine.vllm_names`; here it is compared with vLLM's source, which is
read without being imported. An engine does so before it starts, and ``semcore doctor`` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from semcore.errors import EngineVersionError
from service.engine.source_tree import Found, SourceTree
from service.engine.vllm_names import NAMES, Build, Name

VERSIONS = ("0.31", "0.32", "0.33")
"""Versions that the service is known to run with."""
_TOLD = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """A name that is not as the service knows it."""

    name: Name
    found: Found | None

    def __str__(self) -> str:
        where = f"{self.name.module}.{self.name.name}"
        if self.found is None:
            return f"{where} is missing"
        if self.found.takes is None:
            return f"{where} cannot be called"
        return f"{where} takes ({', '.join(self.found.takes)})"


def require_names(build: Build, folder: Path | None = None) -> None:
    """Raises :class:`EngineVersionError` that says which names of vLLM differ.

    Args:
        folder: of vLLM's package; the installed one's if left out.
    """
    differences = differing_names(build, folder)
    if differences:
        raise EngineVersionError(
            f"this version of vLLM cannot serve: {tell(differences)}; "
            f"install vLLM {VERSIONS[0]} to {VERSIONS[-1]}"
        )


def differing_names(
    build: Build, folder: Path | None = None, names: Iterable[Name] = NAMES
) -> list[Difference]:
    """What a build of vLLM has otherwise than the service knows it; see :func:`require_names`."""
    tree = SourceTree(folder or _installed(), "vllm")
    wanted = (name for name in names if name.build in (None, build))
    told = ((name, tree.find(name.module, name.name)) for name in wanted)
    return [Difference(name, found) for name, found in told if not _is_known(name, found)]


def tell(differences: list[Difference]) -> str:
    """The differences in one phrase; of many the first few, and how many more."""
    more = len(differences) - _TOLD
    said = ", ".join(map(str, differences[:_TOLD]))
    return f"{said}, and {more} more" if more > 0 else said


def _installed() -> Path:
    """The folder of the installed package, found without importing it."""
    spec = find_spec("vllm")
    if spec is None or not spec.submodule_search_locations:
        raise EngineVersionError("vLLM is not installed; install the extra 'cpu' or 'gpu'")
    return Path(spec.submodule_search_locations[0])


def _is_known(name: Name, found: Found | None) -> bool:
    if found is None:
        return False
    if name.overridden:
        return found.takes in [_split(signature) for signature in name.overridden]
    if name.passed is not None:
        return found.takes is not None and _accepts(found.takes, _split(name.passed))
    return True


def _split(signature: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in signature.split(",") if part.strip())


def _accepts(takes: tuple[str, ...], passed: tuple[str, ...]) -> bool:
    """Whether parameters take what a call passes, and ask for nothing else."""
    star = next((place for place, one in enumerate(takes) if one.startswith("*")), len(takes))
    positional = [one.rstrip("=") for one in takes[:star]]
    required = {one for one in takes if not one.endswith("=") and not one.startswith("*")}
    by_place = [one for one in passed if not one.endswith("=")]
    by_name = {one.rstrip("=") for one in passed if one.endswith("=")}
    known = {one.rstrip("=") for one in takes}
    is_open = any(one.startswith("**") for one in takes)
    return (
        positional[: len(by_place)] == by_place
        and (by_name <= known or is_open)
        and required <= {*by_place, *by_name}
    )
