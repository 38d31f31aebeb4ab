"""Pictures of items over HTTP: sent as what they are, never as a page, and smaller on request."""

import base64
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pillow_heif
import pytest
from noise import encoded
from PIL import Image
from searching import client_of

from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from offline.corpus.reader import read_corpus
from service.index import renditions
from service.settings import Settings

HTML = b"<html><script>alert(document.domain)</script>"


def heic() -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (300, 200), (200, 30, 40))).save(out, quality=90)
    return out.getvalue()


FILES = {
    "x.html": encoded("GIF") + HTML, "photo.svg": encoded("PNG"), "phone.jpg": encoded("MPO"),
    "scan.tif": encoded("TIFF"), "new.avif": encoded("AVIF"), "new.jp2": encoded("JPEG2000"),
    "large.jpg": encoded("JPEG", (1500, 1000)), "phone.heic": heic(),
    "tiny.png": encoded("PNG", (20, 30)),
}  # fmt: skip


@pytest.fixture(scope="module")
def bundle(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    rows = [{"image": name, "id": name, "captions": [f"a {name[:4]} boat"]} for name in FILES]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read_corpus(folder, strict=True)
    assert isinstance(found, Corpus)
    path = trained / "odd pictures"
    build_bundle(
        replace(found, name="odd"), path, BuildSettings(gallery=("train",)), like=trained / "bundle"
    )
    bind_bundle(path, trained / "model")
    return path


@pytest.fixture
async def odd(bundle: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(bundle=bundle, journal=tmp_path / "journal", admin_key="a-key")
    async with client_of(settings, "a-key") as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.html", "image/gif"),
        ("photo.svg", "image/png"),
        ("phone.jpg", "image/jpeg"),
        ("new.avif", "image/avif"),
        ("scan.tif", "image/jpeg"),
        ("new.jp2", "image/jpeg"),
        ("phone.heic", "image/jpeg"),
    ],
)
async def test_is_sent_as_what_it_is(odd: httpx.AsyncClient, name: str, kind: str) -> None:
    for query in ("", "?size=128"):
        found = await odd.get(f"/items/{name}/image{query}")
        assert found.status_code == 200
        assert found.headers["content-type"] == (kind if not query else "image/jpeg")
        assert found.headers["x-content-type-options"] == "nosniff"
        policy = found.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        shown = Image.open(io.BytesIO(found.content))
        assert max(shown.size) == (128 if query else 300)
    if kind == "image/jpeg" and name != "phone.jpg":
        assert found.content != FILES[name]


async def test_a_file_that_has_become_something_else_is_not_sent(
    odd: httpx.AsyncClient, bundle: Path
) -> None:
    path = bundle.parents[0]
    root = Path(json.loads((bundle / "manifest.json").read_text())["corpus"]["image_root"])
    path = root / "photo.svg"
    path.write_bytes(HTML)
    try:
        for query in ("", "?size=64"):
            found = await odd.get(f"/items/photo.svg/image{query}")
            assert found.status_code == 404
            assert found.headers["content-type"] == "application/json"
    finally:
        path.write_bytes(FILES["photo.svg"])


async def test_thumbnails_are_small_and_made_once(
    odd: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    content = renditions._content
    monkeypatch.setattr(
        renditions, "_content", lambda copy: (made.append(copy.name), content(copy))[1]
    )
    whole = await odd.get("/items/large.jpg/image")
    sizes = {}
    for size in (100, 128, 129, 256, 100, 2000):
        found = await odd.get(f"/items/large.jpg/image?size={size}")
        sizes[size] = max(Image.open(io.BytesIO(found.content)).size)
        if size < 1000:
            assert len(found.content) < len(whole.content) / 10
    assert sizes == {100: 128, 128: 128, 129: 256, 256: 256, 2000: 1500}
    assert len(made) == len(set(made)) == 3
    assert (await odd.get("/items/tiny.png/image?size=64")).content == FILES["tiny.png"]
    for size in (0, -1, 5000, "x"):
        assert (await odd.get(f"/items/large.jpg/image?size={size}")).status_code == 422


async def test_all_formats_are_added_and_found(odd: httpx.AsyncClient) -> None:
    items = [
        {"id": f"new {name}", "kind": "image", "captions": ["a boat"],
         "image": base64.b64encode(content).decode()}
        for name, content in FILES.items()
    ]  # fmt: skip
    added = await odd.post("/admin/items", json={"items": items})
    assert added.status_code == 200, added.text
    for name, content in FILES.items():
        assert (await odd.get(f"/items/new {name}/image?size=64")).status_code == 200
        found = await odd.post("/search/image-to-text", files={"image": content})
        assert found.status_code == 200, (name, found.text)
