"""Progress bars are for a person at a terminal; here it is decided whether there are any."""

from __future__ import annotations

import os
import sys

# Each is read as the library is imported; Transformers goes by the second one.
_QUIET = {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


def has_bars() -> bool:
    """Whether standard error, on which bars are drawn, is a terminal."""
    return sys.stderr.isatty()


def quieten_libraries() -> None:
    """Where there are no bars, keep libraries from drawing them, in this process and those that it
    starts. Both sides call it as they are imported, before any library that draws some."""
    if not has_bars():
        os.environ.update(_QUIET)
