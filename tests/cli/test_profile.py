"""The profile tells of every part of a search of the real service."""

from dataclasses import replace
from pathlib import Path

import pytest
from bundles import bundle_of
from elsewhere import PLACES, put
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from cli.profile import _queries, median_parts
from semcore.bundle.item import Item


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


@pytest.mark.parametrize("place", PLACES)
def test_asks_by_pictures_wherever_they_lie(tmp_path: Path, place: str) -> None:
    root, images = put(place, {"a.png": b"a picture"}, tmp_path / "pictures")
    item = Item("a", "image", "test", "a", False, "boat", images["a.png"], "<g1> boat")
    elsewhere = bundle_of([item], tmp_path / "elsewhere", root)
    assert list(_queries(elsewhere, True, 2)) == [b"a picture"] * 2
    here = bundle_of([replace(item, image="a.png")], tmp_path / "here", tmp_path)
    assert list(_queries(here, True, 2)) == [tmp_path / "a.png"] * 2
