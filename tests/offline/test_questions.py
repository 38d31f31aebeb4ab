"""Questions ask for all that recall counts."""

from pathlib import Path
from typing import Any

import pytest

from offline.questions import Questions, ask
from semcore.bundle import read_manifest
from semcore.client import Answer, AsyncSemcoreClient


class Asked(AsyncSemcoreClient):
    """Notes what is asked, and finds nothing."""

    def __init__(self, version: str) -> None:
        super().__init__("http://127.0.0.1:9")
        self._version = version
        self.shown: set[int] = set()

    async def search(self, query: Any, **parameters: Any) -> Answer:
        self.shown.add(parameters["top_k"])
        nothing: Any = {
            "index_version": self._version, "degraded": None, "illegal": 0, "items": [],
            "traces": [],
        }  # fmt: skip
        found: Answer = nothing
        return found


@pytest.mark.parametrize(("beam_width", "shown"), [(5, 10), (20, 20)])
async def test_asks_for_the_ten_items_that_few_beams_may_hold(
    trained: Path, beam_width: int, shown: int
) -> None:
    bundle = trained / "bundle"
    async with Asked(read_manifest(bundle).version) as client:
        await ask(client, bundle, Questions("text-to-image", limit=2, beam_width=beam_width))
        assert client.shown == {shown}
