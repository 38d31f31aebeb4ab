"""Explore, Evaluate and Admin, and what all pages have in common."""

import re
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.scenarios.pages.conftest import KEY, SIZES, House, Visit, picture_of, until, violations

get = partial(httpx.get, timeout=60)


async def test_explores_from_clusters_to_pictures(visit: Visit, house: House) -> None:
    page = await visit.open("/explore")
    await page.wait_for_selector(".branch")
    tree = get(f"{house.url}/identifiers").json()
    assert await page.locator(".branch").count() == len(tree["branches"])
    odd = [branch for branch in tree["branches"] if branch["odd"]]
    assert await page.locator(".branch.odd").count() == len(odd)
    assert await page.locator("#shared-list button").count() == len(tree["shared"])
    await picture_of(page, "explore")
    place = ""
    while await page.locator(".branch").count():
        params = {"beginning": place}
        branches = get(f"{house.url}/identifiers", params=params).json()["branches"]
        place = branches[0]["identifier"]
        await page.locator(".branch").first.click()
        *above, last = place.split()
        crumb = f"#crumbs li:nth-child({len(above) + 2})"
        await page.wait_for_selector(f"{crumb} strong:has-text('{last}')")
    found = get(f"{house.url}/identifiers", params={"beginning": place}).json()
    assert await page.locator("#grid article").count() == len(found["items"])
    chips = page.locator("#grid .chips").first
    assert await chips.get_attribute("aria-label") == f"Identifier {place}"
    await page.go_back()
    await page.wait_for_selector(".branch")
    await page.get_by_role("button", name="Texts").click()
    await page.wait_for_selector("#grid blockquote")
    await page.fill("#find", "<g99> nothing")
    await page.locator("#find").blur()
    await page.wait_for_selector("text=No identifier begins with")


async def test_shows_the_report_and_its_failures(visit: Visit, house: House) -> None:
    page = await visit.open("/evaluate")
    await page.wait_for_selector(".failure")
    report = get(f"{house.url}/report/results.json").json()
    assert await page.locator("#rows tbody tr").count() == len(report["rows"])
    first = await page.locator("#rows tbody tr").first.inner_text()
    assert f"{report['rows'][0]['recall']['R@1']['value']:.1f}" in first
    await until(
        page, "['survival', 'reliability'].every(id => document.getElementById(id).naturalWidth)"
    )
    for direction, wrong in report["failures"].items():
        await page.select_option("#direction", direction)
        await until(page, f"document.querySelectorAll('.failure').length === {min(10, len(wrong))}")
        assert f"of {len(wrong)} failure" in await page.inner_text("#status")
    await page.select_option("#direction", "text-to-image")
    await page.wait_for_selector(".failure img")
    await picture_of(page, "evaluate")


async def test_reloads_and_rolls_back_behind_the_key(
    visit: Visit, house: House, tmp_path: Path
) -> None:
    page = await visit.open("/admin")
    await page.fill("#key", "a wrong one")
    await page.get_by_role("button", name="Open").click()
    await page.wait_for_selector("text=there is no such key")
    assert await page.locator("#house").is_hidden()
    await page.fill("#key", KEY)
    await page.get_by_role("button", name="Open").click()
    await page.wait_for_selector("#house:visible")
    version = get(f"{house.url}/readyz").json()["index_version"]
    assert version in await page.inner_text("#current")
    await page.get_by_role("button", name="Reload").click()
    await page.wait_for_selector(".notice.good:has-text('Canary recall at 10')", timeout=60_000)
    await page.wait_for_selector(f"#previous:has-text('{version}')")
    await picture_of(page, "admin")
    await page.fill("#bundle", str(tmp_path / "none"))
    await page.get_by_role("button", name="Reload").click()
    await page.wait_for_selector("#notice:has-text('The index before serves on')")
    await page.get_by_role("button", name="Roll back to it").click()
    await page.wait_for_selector(".notice.good:has-text('Serving')", timeout=60_000)
    visit.complaints[:] = [o for o in visit.complaints if "Failed to load resource" not in o]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_everybody_can_use_every_page(
    visit: Visit, house: House, size: str, theme: str
) -> None:
    query = house.items("text")[0].caption
    ready = {
        f"/?q={query}": ".rank",
        "/": "#grid article",
        "/explore": ".branch",
        "/evaluate": ".failure",
        "/admin": "#key",
    }
    for path, sign in ready.items():
        page = await visit.open(path, size, theme)
        await page.wait_for_selector(sign)
        if "q=" in path:
            await page.locator("details summary").click()
            assert await violations(page) == []
            await page.get_by_text("Why?").first.click()
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.close()


async def test_the_theme_that_was_chosen_stays(visit: Visit) -> None:
    page = await visit.open("/explore")
    await page.get_by_role("button", name="Dark").click()
    await page.goto(visit.url + "/admin")
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert await page.locator("#theme").get_attribute("aria-pressed") == "true"


def test_pages_load_nothing_from_elsewhere(house: House) -> None:
    for place in ("/", "/explore", "/evaluate", "/admin"):
        answer = get(house.url + place)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "http" not in answer.text.replace("http-equiv", "")
    contract = get(f"{house.url}/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]*)"', contract)
    assert len(loaded) >= 2
    assert "https://" not in contract
    assert all(get(house.url + part).status_code == 200 for part in loaded)
    for name in ("../app.py", "search.html", "none.js", "%2e%2e/app.py"):
        assert get(f"{house.url}/pages/{name}").status_code == 404
    assert get(f"{house.url}/report/answers.jsonl").status_code == 422
