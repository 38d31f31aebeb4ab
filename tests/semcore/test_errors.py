"""All errors that are raised on purpose can be caught as one kind, and each is raised somewhere."""

import ast
import inspect
from pathlib import Path

from semcore import errors
from semcore.errors import LargePictureError, PictureError, SemcoreError

ROOT = Path(__file__).parents[2]
PACKAGES = ("semcore", "offline", "service", "cli")
FOUND = dict(inspect.getmembers(errors, inspect.isclass))


def test_all_are_errors_of_the_product_that_say_what_they_are_for() -> None:
    assert len(FOUND) >= 8
    for error in FOUND.values():
        assert issubclass(error, SemcoreError)
        assert error.__doc__
    assert SemcoreError.__bases__ == (Exception,)


def test_who_catches_what_is_no_picture_catches_one_that_is_too_large() -> None:
    assert issubclass(LargePictureError, PictureError)


def test_each_is_raised_somewhere() -> None:
    raised = set()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    raised.add(ast.unparse(node.func))
    assert FOUND.keys() - raised == set()
