"""The command names what there is to reproduce, and two do not work in one folder."""

import fcntl
import shutil
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from offline.corpus.corpus import Corpus


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
        (["photographs"], "name the photographs: --corpus PATH"),
        (["table1", "--towers"], "--towers is for photographs"),
    ):
        result = CliRunner().invoke(app, ["reproduce", *arguments, "--out", str(tmp_path)])
        assert result.exit_code != 0
        assert said in result.stderr


def test_photographs_need_all_three_splits(corpus: Corpus, tmp_path: Path) -> None:
    """What is read of a corpus is told before anything is made of it."""
    photos = tmp_path / "photos"
    shutil.copytree(corpus.image_root, photos)
    captions = photos / "captions.jsonl"
    lines = captions.read_text().splitlines()
    captions.write_text("\n".join(line for line in lines if '"val"' not in line))
    options = ["--corpus", str(photos), "--base", "tiny", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["reproduce", "photographs", "--budget", "moment", *options])
    assert result.exit_code == 1
    assert "photos: " in result.stdout
    assert "photos has no picture in the split 'val'" in result.stderr
    assert not (tmp_path / "out" / "0").exists()
