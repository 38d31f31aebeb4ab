"""What the service uses of vLLM's inner parts is listed, and nothing else is."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from service.engine.source_tree import SourceTree
from service.engine.vllm_names import NAMES

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "service").rglob("*.py"))
LISTED = {(name.module, name.name) for name in NAMES}
OVERRIDDEN = {(name.module, name.name) for name in NAMES if name.overridden}
MEMBERS = {name.name.partition(".")[2] for name in NAMES} - {""}
# What vLLM's documentation calls its interface stands in no table.
DOCUMENTED = {"vllm"}
# What a base of ours is, where the source does not say: it comes with the runner or worker.
BASES = {
    "ScoringRunner": [("vllm.v1.worker.gpu_model_runner", "GPUModelRunner")],
    "ScoringWorkers": [
        ("vllm.v1.worker.cpu_worker", "CPUWorker"),
        ("vllm.v1.worker.gpu_worker", "Worker"),
    ],
}

Owner = tuple[str, str]


def imports(tree: ast.AST) -> dict[str, Owner]:
    """Of vLLM, by the names that a module uses."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vllm"
        if node.module is not None
        for alias in node.names
    }


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for file in FILES:
        tree = ast.parse(file.read_text())
        if imports(tree) or file.name == "scoring.py":
            yield file, tree


MODULES = [pytest.param(tree, id=file.stem) for file, tree in modules()]


def classes() -> dict[str, tuple[ast.ClassDef, list[Owner]]]:
    """All classes that have bases of vLLM's, with these."""
    every = {
        node.name: (node, imports(tree))
        for _, tree in modules()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }

    def bases(name: str) -> list[Owner]:
        node, known = every[name]
        found = list(BASES.get(name, []))
        for base in node.bases:
            assert isinstance(base, ast.Name)
            if base.id in known:
                found.append(known[base.id])
            elif base.id in every:
                found += bases(base.id)
        return [one for one in found if one[0] not in DOCUMENTED]

    return {name: (node, bases(name)) for name, (node, _) in every.items() if bases(name)}


CLASSES = classes()
INSTALLED = find_spec("vllm")
assert INSTALLED is not None
assert INSTALLED.submodule_search_locations
SOURCE = SourceTree(Path(INSTALLED.submodule_search_locations[0]), "vllm")


def methods(name: str) -> set[str]:
    node = CLASSES[name][0]
    return {one.name for one in node.body if isinstance(one, ast.FunctionDef)}


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) >= 9
    assert {"BeamScheduler", "WeighingScheduler", "ScoringRunner", "ScoringWorkers"} < set(CLASSES)
    assert CLASSES["BeamScheduler"][1] == [("vllm.v1.core.sched.scheduler", "Scheduler")]


@pytest.mark.parametrize("tree", MODULES)
def test_what_is_imported_is_listed(tree: ast.Module) -> None:
    unlisted = {owner for owner in imports(tree).values() if owner[0] not in DOCUMENTED} - LISTED
    assert unlisted == set()
    plain = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] == "vllm"
    }
    assert plain == set()


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_overridden_is_listed(name: str) -> None:
    for module, owner in CLASSES[name][1]:
        theirs = {one for one in methods(name) if SOURCE.find(module, f"{owner}.{one}")}
        passed_on = {"__init__"} if "Scheduler" in name else set()
        listed = {one for one in theirs if (module, f"{owner}.{one}") in OVERRIDDEN}
        assert theirs - passed_on == listed


def accesses(node: ast.AST, names: set[str]) -> set[str]:
    """The attributes of these names that are used, and those of what ``super()`` is."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute):
            value = one.value
            is_super = isinstance(value, ast.Call) and ast.unparse(value.func) == "super"
            if is_super or (isinstance(value, ast.Name) and value.id in names):
                found.add(one.attr)
    return found


def own(name: str) -> set[str]:
    """What a class, and those of ours that it is made of, define themselves."""
    node = CLASSES[name][0]
    found = methods(name)
    for one in ast.walk(node):
        if isinstance(one, ast.Assign | ast.AnnAssign):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            for target in (each for outer in targets for each in ast.walk(outer)):
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                    found.add(target.attr)
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in CLASSES:
            found |= own(base.id)
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_inherited_is_listed(name: str) -> None:
    """A name that vLLM has too, such as ``running``, is vLLM's."""
    used = accesses(CLASSES[name][0], {"self", "runner", "worker"}) - {"__init__"}
    for module, owner in CLASSES[name][1]:
        theirs = {one for one in used if SOURCE.find(module, f"{owner}.{one}")}
        listed = {one for one in used if (module, f"{owner}.{one}") in LISTED}
        assert theirs == listed
    foreign = used - own(name)
    assert foreign - MEMBERS == set()


@pytest.mark.parametrize("tree", MODULES)
def test_what_is_used_of_an_annotated_name_is_listed(tree: ast.Module) -> None:
    known = imports(tree)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        arguments = function.args
        for argument in [*arguments.args, *arguments.kwonlyargs]:
            annotation = argument.annotation or ast.Constant(None)
            names = {one.id for one in ast.walk(annotation) if isinstance(one, ast.Name)}
            owners = [known[name] for name in names & set(known)]
            is_sole = len(names - {"None"}) == 1 and len(owners) == 1
            if not is_sole or owners[0][0] in DOCUMENTED:
                continue
            module, owner = owners[0]
            used = {
                one
                for one in accesses(ast.Module([function], []), {argument.arg})
                if SOURCE.find(module, f"{owner}.{one}")
            }
            assert {one for one in used if (module, f"{owner}.{one}") not in LISTED} == set()


@pytest.mark.parametrize("tree", MODULES)
def test_private_names_are_listed(tree: ast.Module) -> None:
    """Those of other objects than one's own."""
    private = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_")
        if not node.attr.startswith("__") and ast.unparse(node.value) not in {"self", "cls"}
    }
    mine = {one for name in CLASSES for one in own(name)}
    assert private - mine - MEMBERS == set()


def test_each_name_says_what_it_is_for() -> None:
    assert all(name.purpose for name in NAMES)
    assert len(LISTED) == len(NAMES)


def test_what_is_listed_is_used() -> None:
    words = {
        word
        for file in FILES
        if file.stem != "vllm_names"
        for node in ast.walk(ast.parse(file.read_text()))
        for word in (
            getattr(node, "attr", None), getattr(node, "id", None), getattr(node, "arg", None),
            getattr(node, "name", None), getattr(node, "value", None),
        )
        if isinstance(word, str)
    }  # fmt: skip
    # What holds a listed member, or tells versions apart, is named nowhere.
    held = {
        "KVCacheManager", "KVCacheCoordinator", "BlockPool", "NewRequestData", "LogprobsLists",
        "MultiModalFeatureSpec", "PlaceholderRange", "GPUModelRunner", "InputBatch",
        "CachedRequestState", "PromptLogprobsWorker", "_TokenIdScores", "_TokenIdScores.pad",
        "UvaBackedTensor", "SchedulerConfig", "ModelConfig", "BaseRenderer",
        "BaseMultiModalProcessorCache",
    }  # fmt: skip
    unused = {
        name.name
        for name in NAMES
        if name.name.rpartition(".")[2] not in words | {"__init__"} and name.name not in held
    }
    assert unused == set()
