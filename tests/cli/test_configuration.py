"""What is wrong with a setting is said in one sentence that names it."""

import pytest

from cli.configuration import read_settings
from semcore.errors import SemcoreError


def test_what_is_given_stands_in_place_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMCORE_PORT", "81")
    monkeypatch.setenv("SEMCORE_HOST", "0.0.0.0")
    settings = read_settings(port=82, host=None)
    assert (settings.port, settings.host) == (82, "0.0.0.0")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SEMCORE_PORT", "many", "^SEMCORE_PORT: Input should be a valid integer"),
        ("SEMCORE_ENGINE_ARGUMENTS", "{", '^a setting is no valid JSON: .*"engine_arguments"'),
        ("SEMCORE_MAX_BATCH", "5", r"^SEMCORE_MAX_BEAM_WIDTH \(100\) may be at most"),
    ],
)
def test_names_what_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SemcoreError, match=said):
        read_settings()
