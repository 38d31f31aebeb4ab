"""Settings come from the environment, and a page of the docs lists each."""

from pathlib import Path

import pytest

from service.settings import Settings


def test_the_page_lists_all() -> None:
    page = (Path(__file__).parents[2] / "docs/settings.md").read_text()
    told = [line for line in page.splitlines() if line.startswith("| `SEMCORE_")]
    assert told == [
        f"| `SEMCORE_{name.upper()}` | {_shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]


def _shown(default: object) -> str:
    return "" if default is None else f"`{default}`"


def test_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMCORE_BEAM_WIDTH", "7")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere")
    settings = Settings()
    assert settings.beam_width == 7
    assert settings.redis_url == "redis://somewhere"
    monkeypatch.setenv("SEMCORE_ENGINE_ARGUMENTS", '{"tensor_parallel_size": 2}')
    assert Settings().engine_arguments == {"tensor_parallel_size": 2}
    monkeypatch.setenv("SEMCORE_BEAM_WIDTH", "0")
    with pytest.raises(ValueError, match="beam_width"):
        Settings()


def test_all_beams_of_a_search_fit_into_a_batch() -> None:
    with pytest.raises(ValueError, match="at most SEMCORE_MAX_BATCH"):
        Settings(max_batch=50, max_beam_width=51)


def test_the_usual_width_of_beams_is_within_the_limit() -> None:
    assert Settings(max_beam_width=7).beam_width == 7
    assert Settings(beam_width=7, max_beam_width=7).beam_width == 7
    with pytest.raises(ValueError, match=r"SEMCORE_BEAM_WIDTH \(20\) may be at most"):
        Settings(beam_width=20, max_beam_width=10)


@pytest.mark.parametrize("root", ["s3://bucket/photos", "zip://::/data/all.zip", "/data/images"])
def test_the_root_of_pictures_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    monkeypatch.setenv("SEMCORE_IMAGE_ROOT", root)
    assert Settings().image_root == root
    assert Settings(image_root=Path("/data")).image_root == Path("/data")
