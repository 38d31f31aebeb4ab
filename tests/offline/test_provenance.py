"""A folder says what it is for, and serves nothing else."""

from pathlib import Path

import pytest

from offline.provenance import claim, is_used
from semcore.errors import SemcoreError

OTHER = SemcoreError("it holds something else")


def test_a_folder_is_used_once_something_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    assert not is_used(folder)
    folder.mkdir()
    assert not is_used(folder)
    (folder / "made-of.json.part").write_text("{")  # what a killed claim leaves
    assert not is_used(folder)
    (folder / "made-of.json").write_text("{}")
    assert is_used(folder)


def test_a_claim_holds_for_the_same_origin_only(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "made-of.json"
    origin = {"corpus": "a", "gallery": ("test", "val"), "limit": None}
    claim(file, origin, in_use=False, other=OTHER)
    assert [path.name for path in file.parent.iterdir()] == ["made-of.json"]
    said = file.read_text()
    # As JSON has it, in which there are lists only.
    claim(file, {**origin, "gallery": ["test", "val"]}, in_use=True, other=OTHER)
    for another in ({**origin, "limit": 0}, {"corpus": "a"}, {}):
        for in_use in (True, False):
            with pytest.raises(SemcoreError, match="something else"):
                claim(file, another, in_use=in_use, other=OTHER)
    assert file.read_text() == said


def test_what_lies_there_unclaimed_is_of_something_else(tmp_path: Path) -> None:
    file = tmp_path / "made-of.json"
    with pytest.raises(SemcoreError, match="something else"):
        claim(file, {}, in_use=True, other=OTHER)
    assert not file.exists()


def test_sets_and_other_values_are_written_as_lists(tmp_path: Path) -> None:
    file = tmp_path / "made-of.json"
    claim(file, {"splits": frozenset(["test"])}, in_use=False, other=OTHER)
    claim(file, {"splits": ["test"]}, in_use=True, other=OTHER)
