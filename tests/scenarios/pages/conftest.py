"""The real service on the demo corpus, and a real browser."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from cli.demo import SERVICE, demo_bundle
from cli.service_process import serving
from offline.evaluation.evaluation import evaluate
from offline.evaluation.report import write_report
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import Item, ItemStore

KEY = "secret"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SERIOUS = ("serious", "critical")
SCREENSHOTS = os.environ.get("SCREENSHOTS")


@dataclass(frozen=True)
class House:
    """A service on the demo corpus."""

    url: str
    bundle: Path

    def items(self, kind: str) -> list[Item]:
        """Of the test split, those that are fair queries."""
        manifest = read_manifest(self.bundle)
        store = ItemStore(self.bundle / "items.sqlite", manifest.settings.gallery)
        found = list(store.of_split("test", "text" if kind == "text" else "image"))
        store.close()
        return [item for item in found if kind == "image" or item.held_out]

    def picture(self, item: Item) -> Path:
        return Path(read_manifest(self.bundle).corpus.image_root) / item.image


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    bundle, folder = demo_bundle(), tmp_path_factory.mktemp("house")
    own = {
        "SEMCORE_ADMIN_KEY": KEY,
        "SEMCORE_REPORT": str(folder / "report"),
        "SEMCORE_JOURNAL": str(folder / "journal"),
        "REDIS_URL": "",
    }
    with serving(bundle, 0, {**SERVICE, **own}) as url:
        found = asyncio.run(evaluate(url, bundle, limit=20, folder=folder / "report"))
        write_report(found, bundle, folder / "report")
        yield House(url, bundle)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    assert program is not None, "these tests need Chromium (Debian: apt install chromium)"
    async with async_playwright() as playwright:
        # In a container nobody but root may be there, and shared memory is small.
        own = ["--no-sandbox", "--disable-dev-shm-usage"]
        opened = await playwright.chromium.launch(executable_path=program, args=own)
        yield opened
        await opened.close()


@dataclass
class Visit:
    """Opens pages, and keeps what went wrong in them."""

    browser: Browser
    url: str
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str, size: str = "desktop", theme: str = "light") -> Page:
        width, height = SIZES[size]
        page = await self.browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if theme == "dark" else "light",
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda told: self.complaints.append(told.text) if told.type == "error" else None,
        )
        await page.goto(self.url + path)
        return page


@pytest.fixture
async def visit(browser: Browser, house: House) -> AsyncIterator[Visit]:
    """A visit that must end without a complaint of the browser."""
    visiting = Visit(browser, house.url)
    yield visiting
    assert visiting.complaints == []


async def until(page: Page, expression: str) -> None:
    """Until JavaScript says yes; the pages' policy forbids it Playwright's own way to wait."""
    async with asyncio.timeout(60):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.05)


async def results(page: Page) -> list[str]:
    """What is shown once there are ranked results: the labels of the cards."""
    await page.wait_for_selector("#grid:not(.waiting) .rank")
    cards = await page.locator("#grid article").all()
    return [await card.get_attribute("aria-label") or "" for card in cards]


async def violations(page: Page) -> list[str]:
    """What axe-core finds that is serious."""
    found = (await Axe().run(page)).response["violations"]
    return [
        f"{one['id']}: {node['html']}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


async def picture_of(page: Page, name: str, *, whole: bool = False) -> None:
    """A screenshot for the docs, where SCREENSHOTS names their folder."""
    if SCREENSHOTS:
        await page.wait_for_load_state("networkidle")
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=whole)
