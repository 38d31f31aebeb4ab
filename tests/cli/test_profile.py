"""The profile tells of every part of a search of the real service."""

from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from cli.profile import median_parts


def test_prints_and_draws_where_the_time_goes(
    service_url: str, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "profile.png"
    command = ["profile", str(trained / "bundle"), "--url", service_url, "--searches", "3"]
    result = CliRunner().invoke(app, [*command, "--plot", str(out)])
    assert result.exit_code == 0, result.output
    for part in ("http", "tokenise", "queue", "prefill", "step 2", "masks", "merge", "judge"):
        assert part in result.output
    with Image.open(out) as drawn:
        assert drawn.width > 800
    result = CliRunner().invoke(app, [*command, "--by-picture", "--verify", "never"])
    assert result.exit_code == 0, result.output
    assert "judge" not in result.output


def test_parts_stand_below_what_they_belong_to() -> None:
    first = {"a": (0.0, 10.0), "a/b": (6.0, 4.0), "a/c": (1.0, 5.0), "a/c/d": (2.0, 1.0)}
    second = {"a": (0.0, 20.0), "a/c": (2.0, 7.0)}
    parts = median_parts([first, second])
    assert [part.path for part in parts] == ["a", "a/c", "a/c/d", "a/b"]
    assert [part.length for part in parts] == [15.0, 6.0, 1.0, 4.0]
    assert [part.depth for part in parts] == [0, 1, 2, 1]
