"""The installed vLLM has what the service builds on, and what another one lacks is told by name."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest

from semcore.errors import EngineError, EngineVersionError
from service.engine.source_tree import Found
from service.engine.vllm_contract import Difference, differing_names, require_names, tell
from service.engine.vllm_names import NAMES, Build, Name

PIPES = """
class Pipe:
    kept: int
    def turn(self, first, second=1): ...
    def push(self, first, *, second, third=None): ...
"""


@pytest.fixture
def other(tmp_path: Path) -> Path:
    (tmp_path / "pipes.py").write_text(PIPES)
    return tmp_path


def differing(folder: Path, *names: Name) -> list[str]:
    return [str(one) for one in differing_names("cpu", folder, names)]


@pytest.mark.parametrize("build", get_args(Build))
def test_the_installed_version_has_all_names(build: Build) -> None:
    assert differing_names(build) == []
    require_names(build)


def test_all_names_are_looked_at(other: Path) -> None:
    both = [name for name in NAMES if name.build is None]
    assert len(both) > 100
    for build in get_args(Build):
        differences = differing_names(build, other)
        assert {one.name for one in differences} == {n for n in NAMES if n.build in (None, build)}
    with pytest.raises(EngineVersionError, match=r"Scheduler is missing.* and \d+ more; install"):
        require_names("cpu", other)
    assert issubclass(EngineVersionError, EngineError)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (Name("vllm.pipes", "Pipe", ""), None),
        (Name("vllm.pipes", "Pipe.kept", ""), None),
        (Name("vllm.pipes", "Pipe.kept", "", overridden=("",)), "cannot be called"),
        (Name("vllm.pipes", "Pipe.lost", ""), "vllm.pipes.Pipe.lost is missing"),
        (Name("vllm.pipes", "Tube", ""), "vllm.pipes.Tube is missing"),
        (Name("vllm.tubes", "Pipe", ""), "vllm.tubes.Pipe is missing"),
        (Name("vllm.pipes", "Pipe.turn", "", overridden=("first, second=",)), None),
        (Name("vllm.pipes", "Pipe.turn", "", overridden=("first", "first, second=")), None),
        (Name("vllm.pipes", "Pipe.turn", "", overridden=("first",)), r"takes (first, second=)"),
        (Name("vllm.pipes", "Pipe.turn", "", overridden=("first, second",)), "takes"),
        (Name("vllm.pipes", "Pipe.turn", "", passed="first"), None),
        (Name("vllm.pipes", "Pipe.turn", "", passed="first="), None),
        (Name("vllm.pipes", "Pipe.turn", "", passed="first, second"), None),
        (Name("vllm.pipes", "Pipe.turn", "", passed=""), "takes"),
        (Name("vllm.pipes", "Pipe.turn", "", passed="second"), "takes"),
        (Name("vllm.pipes", "Pipe.turn", "", passed="first, third="), "takes"),
        (Name("vllm.pipes", "Pipe.push", "", passed="first, second="), None),
        (Name("vllm.pipes", "Pipe.push", "", passed="first, second"), "takes"),
        (Name("vllm.pipes", "Pipe.push", "", passed="first"), "takes"),
        (Name("vllm.pipes", "Pipe.lost", "", build="gpu"), None),
    ],
)
def test_a_name_is_as_the_service_knows_it(other: Path, name: Name, said: str | None) -> None:
    told = differing(other, name)
    if said is None:
        assert told == []
    else:
        (one,) = told
        assert said in one


# One change a case: a name that goes, one that is renamed, and parameters that change.
CHANGES = [
    (
        "v1/core/sched/scheduler.py",
        "def _get_local_prefix_cache_hit(",
        "def _get_prefix_cache_hit(",
        "Scheduler._get_local_prefix_cache_hit is missing",
    ),
    (
        "v1/core/sched/scheduler.py",
        "def schedule(self, throttle_prefills: bool = False)",
        "def schedule(self, throttle_prefills: bool = False, at: float = 0.0)",
        "Scheduler.schedule takes (throttle_prefills=, at=)",
    ),
    (
        "v1/request.py",
        "def update_block_hashes(self)",
        "def update_block_hashes(self, count)",
        "Request.update_block_hashes takes (count)",
    ),
    (
        "v1/core/sched/scheduler.py",
        "self.max_num_active_reqs",
        "self.max_num_active_requests",
        "Scheduler.max_num_active_reqs is missing",
    ),
]


@pytest.mark.parametrize(("file", "before", "after", "said"), CHANGES)
def test_a_change_of_vllm_is_told(
    tmp_path: Path, file: str, before: str, after: str, said: str
) -> None:
    spec = find_spec("vllm")
    assert spec is not None
    assert spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0])
    changed = re.sub(rf"{re.escape(before)}(?!\w)", after, (source / file).read_text())
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(changed)
    module = "vllm." + file.removesuffix(".py").replace("/", ".")
    mine = [name for name in NAMES if name.module == module and name.build is None]
    assert [one.split(module + ".")[1] for one in differing(tmp_path, *mine)] == [said]


def test_few_of_many_are_told() -> None:
    lost = [Difference(Name("vllm.pipes", f"name{n}", ""), None) for n in range(9)]
    assert tell(lost[:2]) == "vllm.pipes.name0 is missing, vllm.pipes.name1 is missing"
    assert tell(lost).endswith("vllm.pipes.name5 is missing, and 3 more")
    told = str(Difference(Name("vllm.pipes", "name", ""), Found(("first",))))
    assert told == "vllm.pipes.name takes (first)"


def test_where_there_is_no_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.engine.vllm_contract.find_spec", lambda _: None)
    with pytest.raises(EngineVersionError, match="not installed"):
        require_names("cpu")
