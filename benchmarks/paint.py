"""How long after an answer its first result is on the screen, in Chromium, on the demo corpus.

Measured in the page: from the moment that the answer has been read to the frame that shows it, and
to the moment that the first picture has arrived, beside the time that the search itself took.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from benchmarks.measure import argument_parser, record
from cli.demo import SERVICE, demo_bundle
from cli.service_process import serving
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import ItemStore

_MEASURED = """() => {
  const answered = performance.getEntriesByName("answered")[0].startTime;
  const first = document.querySelector("#grid img").src;
  return {
    searched: answered - performance.getEntriesByType("resource")
      .findLast((one) => one.name.includes("/search/")).startTime,
    painted: performance.getEntriesByName("painted")[0].duration,
    pictured: performance.getEntriesByType("resource").findLast((one) => one.name === first)
      .responseEnd - answered,
  };
}"""


@dataclass(frozen=True, slots=True)
class Painted:
    """Milliseconds of one search: until its answer was read, from then until its first result was
    painted, and until the first picture was there."""

    searched: float
    painted: float
    pictured: float


def main() -> None:
    parser = argument_parser(__doc__, rounds=30)
    parser.add_argument("--bundle", type=Path, help="in place of the demo's")
    arguments = parser.parse_args()
    bundle = arguments.bundle or demo_bundle()
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("this needs Chromium (Debian: apt install chromium)")
    with serving(bundle, environment=SERVICE) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        found = [_painted(page, url, query) for query in _queries(bundle, arguments.rounds)]
        browser.close()
    ratios = {
        "median_painted_ms": median(one.painted for one in found),
        "most_painted_ms": max(one.painted for one in found),
        "median_pictured_ms": median(one.pictured for one in found),
        "painted_to_searched": median(one.painted / one.searched for one in found),
    }
    record("paint", ratios, [asdict(one) for one in found], arguments.out)


def _queries(bundle: Path, most: int) -> list[str]:
    store = ItemStore(bundle / "items.sqlite", read_manifest(bundle).settings.gallery)
    texts = [item.caption for item in store.of_split("test", "text") if item.held_out]
    store.close()
    return texts[:most]


def _painted(page: Page, url: str, query: str) -> Painted:
    page.goto(f"{url}/?q={query}")
    page.wait_for_selector("#grid:not(.waiting) .rank")
    page.wait_for_load_state("networkidle")
    return Painted(**page.evaluate(_MEASURED))


if __name__ == "__main__":
    main()
