"""The search page in a real browser, against the real service on the demo corpus."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from key_file import write_keys
from live import fake_service, until_ready
from playwright.async_api import Browser, Page, Route

from tests.scenarios.pages.conftest import House, Visit, picture_of, results, until

DROP = """({name, bytes, event}) => {
  const content = Uint8Array.from(atob(bytes), c => c.charCodeAt(0));
  const file = new File([content], name, {type: "image/png"});
  const data = new DataTransfer();
  data.items.add(file);
  const told = {bubbles: true, cancelable: true};
  document.body.dispatchEvent(event === "paste"
    ? new ClipboardEvent("paste", {...told, clipboardData: data})
    : new DragEvent("drop", {...told, dataTransfer: data}));
}"""


async def names(page: Page) -> list[str]:
    """The identifiers of the cards, in order."""
    chips = await page.locator("#grid .chips").all()
    return [(await one.get_attribute("aria-label") or "").split(" ", 1)[1] for one in chips]


def answer(house: House, query: str, **options: Any) -> dict[str, Any]:
    body = {"query": query, "top_k": 12, "beam_width": 20, **options}
    found = httpx.post(f"{house.url}/search/text-to-image", json=body, timeout=60)
    return dict(found.json())


LOADS = """() => new Promise(done => {
  const again = new Image();
  again.onload = () => done(true);
  again.onerror = () => done(false);
  again.src = document.querySelector("#grid img").src;
})"""


async def give(page: Page, house: House, way: str) -> list[str]:
    """Search with a picture; the texts that belong to it, as far as they are found."""
    item = house.items("image")[3]
    path = house.picture(item)
    if way == "pick":
        await page.set_input_files("#file", path)
    else:
        told = {"name": path.name, "bytes": base64.b64encode(path.read_bytes()).decode()}
        await page.evaluate(DROP, {**told, "event": way})
    await results(page)
    with httpx.Client(base_url=house.url, timeout=60) as client:
        sent = {"image": path.read_bytes()}
        data = {"top_k": "12", "beam_width": "20"}
        found = client.post("/search/image-to-text", files=sent, data=data).json()["items"]
    return [item["text"] for item in found]


@pytest.mark.parametrize(("size", "theme"), [("desktop", "light"), ("phone", "dark")])
async def test_finds_pictures_as_one_types(
    visit: Visit, house: House, size: str, theme: str
) -> None:
    query = house.items("text")[0].caption
    page = await visit.open("/", size, theme)
    await page.wait_for_selector("#grid article")
    assert await page.inner_text("#title") == "Some of what can be found"
    await page.keyboard.press("/")
    await page.keyboard.insert_text(query)
    cards = await results(page)
    expected = answer(house, query)["items"]
    assert [card.split(".")[0] for card in cards] == [str(n) for n in range(1, 13)]
    assert await names(page) == [item["identifier"]["text"] for item in expected]
    assert "12 pictures found" in await page.inner_text("#status")
    await until(
        page,
        "[...document.querySelectorAll('#grid img')].slice(0, 2).every(one => one.naturalWidth)",
    )
    await until(page, "performance.getEntriesByName('painted').length === 1")
    assert f"q={query.split()[0]}" in page.url
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= await page.evaluate("innerWidth")
    dark = await page.evaluate("document.documentElement.dataset.theme")
    assert dark == theme
    await picture_of(page, {"desktop": "search-text", "phone": "search-phone"}[size])


@pytest.mark.parametrize("way", ["drop", "paste", "pick"])
async def test_finds_texts_by_a_picture(visit: Visit, house: House, way: str) -> None:
    page = await visit.open("/", theme="dark" if way == "pick" else "light")
    await page.wait_for_selector("#grid article")
    expected = await give(page, house, way)
    shown = await page.locator("#grid blockquote").all_inner_texts()
    assert shown == expected
    assert await page.locator("#given").is_visible()
    if way != "paste":
        await picture_of(page, {"drop": "search-image", "pick": "search-dark"}[way])
    await page.get_by_text("Remove").click()
    await page.wait_for_selector("#title:has-text('Some of what can be found')")
    assert await page.locator("#query").is_visible()


async def test_says_why(visit: Visit, house: House) -> None:
    query = house.items("text")[2].caption
    page = await visit.open(f"/?q={query}")
    await results(page)
    first = answer(house, query, explain=True)["items"][0]
    await page.keyboard.press("/")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("w")
    dialog = page.locator("dialog")
    assert await dialog.is_visible()
    tokens = await dialog.locator(".token").all_inner_texts()
    assert len(tokens) == len(first["path"])
    assert tokens[-1] == "(end)"
    words = "".join(step["text"] for step in first["path"]).split()[1:]
    assert "".join(tokens[1:-1]) == "".join(words)
    assert await dialog.locator(".beaten").first.inner_text() != "nothing else exists here"
    assert "place 1" in await dialog.inner_text()
    judged = first["verification"] is not None  # a calibrated index leaves it out where one leads
    told = "Asked whether it matches" if judged else "The model was not asked to verify this one"
    assert told in await dialog.inner_text()
    await picture_of(page, "search-why")
    await page.keyboard.press("Escape")
    assert not await dialog.is_visible()


async def test_goes_on_with_what_was_found(visit: Visit, house: House) -> None:
    page = await visit.open(f"/?q={house.items('text')[1].caption}")
    await results(page)
    await page.get_by_text("More", exact=True).click()
    await until(page, "document.querySelectorAll('#grid article').length > 12")
    await page.get_by_text("Its texts").first.click()
    await page.wait_for_selector("#grid blockquote")
    text = await page.locator("#grid blockquote").nth(1).inner_text()
    await page.get_by_text("Its pictures").nth(1).click()
    await page.wait_for_selector("#grid img")
    assert await page.input_value("#query") == text
    await page.go_back()  # to the picture, which no address can hold
    await page.wait_for_selector("#title:has-text('Some of what can be found')")
    await page.go_back()
    await results(page)
    assert await page.input_value("#query") == house.items("text")[1].caption


async def test_controls_change_the_search(visit: Visit, house: House) -> None:
    query = house.items("text")[4].caption
    page = await visit.open(f"/?q={query}")
    await results(page)
    await page.get_by_text("Beams, verification, filters").click()
    await page.select_option("#verify", "never")
    await page.fill("#top-k", "5")
    await page.locator("#top-k").blur()
    await until(page, "document.querySelectorAll('#grid article').length === 5")
    expected = answer(house, query, top_k=5, verify="never")["items"]
    assert await names(page) == [item["identifier"]["text"] for item in expected]
    assert await page.locator(".measure", has_text="Verification").count() == 0
    await page.get_by_text("Add a condition").click()
    await page.keyboard.type("year")
    await page.get_by_label("Value of condition 1").fill("1990")
    await page.get_by_label("Value of condition 1").blur()
    await page.wait_for_selector("text=Nothing can be found with these filters")
    await page.get_by_label("Remove condition 1").click()
    assert len(await results(page)) == 5


async def test_says_that_nothing_fits(visit: Visit, house: House) -> None:
    asked: list[Any] = []

    async def nothing(route: Route) -> None:
        asked.append(route.request.post_data_json)
        await route.fulfill(json={**answer(house, "a boat"), "items": [], "cursor": None})

    page = await visit.open("/?q=a boat")
    await results(page)
    await page.get_by_text("Beams, verification, filters").click()
    await page.get_by_label("Least probability to be right").fill("0.2")
    await page.keyboard.press("Tab")  # this index is not calibrated
    await page.wait_for_selector("#notice:has-text('semcore calibrate')")
    await page.route("**/search/*", nothing)
    await page.get_by_role("button", name="Search", exact=True).click()
    await page.wait_for_selector("#notice:has-text('Nothing here fits')")
    assert asked[-1]["min_score"] == 0.2
    await page.unroute("**/search/*")
    await page.get_by_label("Least probability to be right").fill("")
    await page.keyboard.press("Tab")
    await results(page)
    assert not await page.locator("#notice").is_visible()
    assert {one for one in visit.complaints if "status of 422" not in one} == set()
    visit.complaints.clear()


async def test_says_what_is_wrong_and_tries_again(visit: Visit, house: House) -> None:
    page = await visit.open("/")
    await page.wait_for_selector("#grid article")

    async def gone(route: Route) -> None:
        await route.abort()

    async def full(route: Route) -> None:
        told = {"error": "64 searches wait already; search again later"}
        await route.fulfill(status=429, headers={"Retry-After": "2"}, json=told)

    async def late(route: Route) -> None:
        body = answer(house, "a boat")
        body["degraded"] = {"beam_width": 4, "verified": 2}
        await route.fulfill(json=body)

    seen = asyncio.Event()

    async def slow(route: Route) -> None:
        await seen.wait()
        await route.continue_()

    told = {
        gone: "The service does not answer; is it still running?",
        full: "It asks to wait 2 seconds.",
        late: "There was time for 4 beams and 2 verified candidates only",
    }
    for number, (wrong, sentence) in enumerate(told.items()):
        await page.route("**/search/*", wrong)
        await page.fill("#query", f"a boat {number}")
        await page.get_by_role("button", name="Search", exact=True).click()
        await page.wait_for_selector(f"#notice:has-text('{sentence}')")
        await page.unroute("**/search/*")
    await page.route("**/search/*", slow)
    await page.fill("#query", "a red boat")
    await page.wait_for_selector("#notice:has-text('Still searching')")
    seen.set()
    await results(page)
    assert not await page.locator("#notice").is_visible()
    await page.unroute("**/search/*")
    await page.evaluate(
        DROP.replace("image/png", "text/plain"), {"name": "a", "bytes": "", "event": "drop"}
    )
    await page.wait_for_selector("text=That was no picture")
    page_errors = [one for one in visit.complaints if "Failed to load resource" not in one]
    visit.complaints[:] = page_errors
    await page.get_by_text("Try again").click()
    assert await results(page)


async def test_goes_on_with_a_picture_behind_a_key(
    browser: Browser, few: Path, tmp_path: Path
) -> None:
    own = {
        "SEMCORE_KEYS": str(write_keys(tmp_path / "keys.json")),
        "SEMCORE_JOURNAL": str(tmp_path / "journal"),
        "REDIS_URL": "",
    }
    with fake_service(few, **own) as (_, url):
        await until_ready(url)
        visit = Visit(browser, url)
        page = await visit.open("/")
        await page.fill("#key", "seeker")
        await page.get_by_role("button", name="Use it").click()
        await page.wait_for_selector("#grid article")
        # What clusters say is asked for again, now with the key.
        told = await page.locator("#grid .chip.cluster").first.inner_text()
        assert not told.startswith("cluster ")
        await until(page, "document.querySelector('#grid img').naturalWidth > 0")
        assert await page.evaluate("document.querySelector('#grid img').src.startsWith('blob:')")
        async with asyncio.timeout(60):
            while await page.evaluate(LOADS):  # its bytes are held no longer than they are needed
                await asyncio.sleep(0.05)

        async def gone(route: Route) -> None:
            await route.fulfill(status=404, json={"error": "the item has no picture"})

        await page.route("**/items/*/image", gone)
        await page.get_by_text("Its texts").first.click()
        await page.wait_for_selector("#notice:has-text('the item has no picture')")
        await page.unroute("**/items/*/image")
        await page.get_by_text("Try again").click()
        await page.get_by_text("Its texts").first.click()
        await page.wait_for_selector("#grid blockquote")
        assert await page.locator("#given").is_visible()
    assert [one for one in visit.complaints if "Failed to load resource" not in one] == []
