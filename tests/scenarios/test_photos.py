"""From real photos with human captions to answers, where the photos are at hand."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from moment import MOMENT, SERVICE

from cli.service_process import serving
from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.reader import read_corpus
from offline.training.stages import train_model

PHOTOS = Path(os.environ.get("SEMCORE_PHOTOS", Path(__file__).parents[3] / "shared" / "photos"))
MANY = 60


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"there are no photos at {PHOTOS}")
def test_photos_are_built_trained_served_and_searched(tmp_path: Path) -> None:
    source = next(PHOTOS.glob("dataset*.json"))
    images = json.loads(source.read_text())["images"]
    chosen = [next(i for i in images if i["split"] == split) for split in ("test", "val")]
    chosen += [image for image in images if image["split"] == "train"][:MANY]
    folder = tmp_path / "photos"
    for image in chosen:
        place = folder / image.get("filepath", "")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(PHOTOS / image.get("filepath", "") / image["filename"], place)
    (folder / "dataset_some.json").write_text(json.dumps({"images": chosen}))

    corpus = read_corpus(folder, strict=True)
    assert len(corpus.pictures) == MANY + 2
    bundle = tmp_path / "bundle"
    build_bundle(corpus, bundle, BuildSettings(clusters=4))
    settings = replace(MOMENT, epochs=1.0, gsv_queries=0)
    train_model(bundle, "tiny", tmp_path / "model", settings, report=lambda _: None)
    bind_bundle(bundle, tmp_path / "model")
    with serving(bundle, environment=SERVICE) as url:
        body = {"query": corpus.pictures[0].captions[0], "top_k": 5}
        found = httpx.post(f"{url}/search/text-to-image", json=body, timeout=120).json()["items"]
        assert len(found) == 5
        picture = httpx.get(url + found[0]["image"], timeout=60)
        assert picture.headers["content-type"] == "image/jpeg"
        texts = httpx.post(
            f"{url}/search/image-to-text", files={"image": picture.content}, timeout=120
        ).json()["items"]
        assert texts
        assert all(item["text"] for item in texts)
