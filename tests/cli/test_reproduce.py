"""The command names what there is to reproduce, and two do not work in one folder."""

import fcntl
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app


def test_two_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = CliRunner().invoke(app, ["reproduce", "table5", "--out", str(tmp_path)])
    assert result.exit_code != 0
    assert "another reproduction works in" in result.stderr
    assert not (tmp_path / "demo").exists()


def test_names_what_there_is(tmp_path: Path) -> None:
    for arguments, said in (
        (["table9"], "table3"),
        (["table3", "--budget", "huge"], "short"),
        (["table1", "--only", "dual"], "two-towers"),
    ):
        result = CliRunner().invoke(app, ["reproduce", *arguments, "--out", str(tmp_path)])
        assert result.exit_code != 0
        assert said in result.stderr
