"""What Chromium shows of pictures, as pixels: the judge of the product's own eyes."""

import base64
import shutil
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import async_playwright

_MANY = 50  # in one message
_SHOW = """async (files) => {
  const shown = [];
  for (const file of files) {
    const bytes = Uint8Array.from(atob(file), (one) => one.charCodeAt(0));
    const image = new Image();
    image.src = URL.createObjectURL(new Blob([bytes]));
    try { await image.decode(); } catch { shown.push(null); continue; }
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const paper = canvas.getContext("2d", { willReadFrequently: true });
    paper.fillStyle = "white";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.drawImage(image, 0, 0);
    const { data } = paper.getImageData(0, 0, canvas.width, canvas.height);
    let text = "";
    for (const one of data) text += String.fromCharCode(one);
    shown.push([canvas.width, canvas.height, btoa(text)]);
    URL.revokeObjectURL(image.src);
  }
  return shown;
}"""


async def seen_by_chromium(files: Sequence[bytes]) -> list[NDArray[np.uint8] | None]:
    """Of each file what lies on a white page, uint8 [height, width, 3]; None if nothing does."""
    program = shutil.which("chromium")
    assert program is not None, "these tests need Chromium (Debian: apt install chromium)"
    seen: list[NDArray[np.uint8] | None] = []
    async with async_playwright() as playwright:
        own = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=program, args=own)
        page = await browser.new_page()
        for start in range(0, len(files), _MANY):
            told = [base64.b64encode(file).decode() for file in files[start : start + _MANY]]
            for one in await page.evaluate(_SHOW, told):
                if one is None:
                    seen.append(None)
                    continue
                width, height, text = one
                pixels = np.frombuffer(base64.b64decode(text), np.uint8)
                seen.append(pixels.reshape(height, width, 4)[..., :3])
        await browser.close()
    return seen
