"""Values of options are those that the product knows, and shells complete them at once."""

import os
import subprocess
import sys
from typing import get_args

import pytest

from cli.options import (
    BASES,
    DEFAULT_URL,
    BudgetValue,
    GsvValue,
    KindValue,
    RecipeValue,
    SplitValue,
    ToldValue,
    VerifyValue,
)
from offline.corpus.picture import SPLITS
from offline.reproduction.budgets import BUDGETS
from offline.reproduction.experiments import recipes
from offline.training.presets import PRESETS
from semcore.client import URL
from semcore.kind import Kind
from semcore.model.prompt import GsvForm, Told
from service.schemas.answer import Verify

PROGRAM = "from cli.main import app; app(prog_name='semcore')"
# Where torch has been imported it stands for the children of the process to import it, too.
OUTSIDE = os.environ | {"PYTHONPATH": ""}


def completed(shell: str, line: str) -> list[str]:
    """What a shell is told where the last word of a line is to be completed."""
    own = {
        "_SEMCORE_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env={**OUTSIDE, **own}, capture_output=True, text=True)
    return done.stdout.split()


def test_the_values_are_those_of_the_product() -> None:
    assert get_args(VerifyValue) == get_args(Verify)
    assert get_args(KindValue) == get_args(Kind)
    assert get_args(GsvValue) == get_args(GsvForm)
    assert get_args(ToldValue) == get_args(Told)
    assert get_args(SplitValue) == SPLITS
    assert get_args(RecipeValue) == (*recipes(BUDGETS["short"]), "all")
    assert get_args(BudgetValue) == tuple(BUDGETS)
    assert set(BASES) == set(PRESETS)
    assert DEFAULT_URL == URL


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("semcore search --verify a", ["auto", "always"]),
        ("semcore search boats --verify n", ["never"]),
        ("semcore inspect --kind ", ["image", "text"]),
        ("semcore evaluate --split t", ["train", "test"]),
        ("semcore insp", ["inspect"]),
        ("semcore train --base 1b", ["1b", "1b-lora"]),
        ("semcore train --base s", ["small"]),
        ("semcore reproduce table3 --budget s", ["short"]),
        ("semcore reproduce f", ["figure3"]),
    ],
)
def test_values_and_commands_are_completed(shell: str, line: str, values: list[str]) -> None:
    found = completed(shell, line)
    assert [value for value in values if value in found] == values
    assert not {"auto", "always", "never", "image", "text", "train", "val", "test"} & (
        set(found) - set(values)
    )


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    command = [sys.executable, "-c", "import sys, cli.main; print(*sys.modules)"]
    done = subprocess.run(command, env=OUTSIDE, capture_output=True, text=True, check=True)
    assert "cli.search" in done.stdout.split()
    assert not {"torch", "transformers", "fastapi", "vllm"} & set(done.stdout.split())
