"""Pages offer what the settings allow, and load nothing but what the service has."""

import re
from pathlib import Path

import httpx
import pytest
from searching import client_of

from service.settings import Settings


def attribute(html: str, element: str, name: str) -> str:
    found = re.search(rf'<input id="{element}"[^>]* {name}="([^"]*)"', html)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("limits", "top_k", "beam_width"),
    [({}, ("12", "100"), ("20", "100")), ({"top_k": 5, "beam_width": 4}, ("5", "5"), ("4", "4"))],
)
async def test_the_search_page_asks_within_the_limits(
    few: Path, limits: dict[str, int], top_k: tuple[str, str], beam_width: tuple[str, str]
) -> None:
    settings = Settings(bundle=few, **{f"max_{name}": most for name, most in limits.items()})
    async with client_of(settings) as client:
        html = (await client.get("/")).text
        offered = {
            "top_k": int(attribute(html, "top-k", "value")),
            "beam_width": int(attribute(html, "beam-width", "value")),
        }
        query = {"query": "two boats", **offered}
        assert (await client.post("/search/text-to-image", json=query)).status_code == 200
        plain = await client.post("/search/text-to-image", json={"query": "two boats"})
        assert plain.status_code == 200
    assert (attribute(html, "top-k", "value"), attribute(html, "top-k", "max")) == top_k
    found = attribute(html, "beam-width", "value"), attribute(html, "beam-width", "max")
    assert found == beam_width
    assert f">{beam_width[0]}</output>" in html


@pytest.mark.parametrize("page", ["/", "/explore", "/evaluate", "/admin"])
async def test_every_page_is_whole(client: httpx.AsyncClient, page: str) -> None:
    answer = await client.get(page)
    assert answer.status_code == 200
    assert "$" not in answer.text
    names = re.findall(r'"/pages/([^"]+)"', answer.text)
    assert names
    for name in names:
        assert (await client.get(f"/pages/{name}")).status_code == 200
