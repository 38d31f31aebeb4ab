"""Names of files that come from outside name a file in the folder that they are meant for."""

import pytest
from pydantic import TypeAdapter, ValidationError

from semcore.file_name import FileName, FileNameOrNone

NAMES = TypeAdapter(FileName)


@pytest.mark.parametrize("name", ["a", "items.sqlite", "..a", "a..", "bild ü.png", "x" * 255])
def test_plain_names(name: str) -> None:
    assert NAMES.validate_python(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "..\\x", "a\0b", "ü" * 128, "\ud800"],
)
def test_no_plain_names(name: str) -> None:
    with pytest.raises(ValidationError):
        NAMES.validate_python(name)


def test_no_name_at_all() -> None:
    adapter = TypeAdapter(FileNameOrNone)
    assert adapter.validate_python("") == ""
    with pytest.raises(ValidationError, match="no plain name"):
        adapter.validate_python("../x")
