"""There are progress bars in a terminal, and nowhere else, in libraries too."""

import os
import sys

import pytest

from semcore.bars import has_bars, quieten_libraries


@pytest.mark.parametrize("is_terminal", [True, False])
def test_libraries_draw_where_a_person_looks(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    for name in ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS"):
        monkeypatch.setenv(name, "")
    quieten_libraries()
    assert has_bars() == is_terminal
    assert os.environ["TQDM_DISABLE"] == ("" if is_terminal else "1")
    assert os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == ("" if is_terminal else "1")
