"""The contract is what the docs say, and a client made from it works."""

import asyncio
import base64
import importlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from live import served
from PIL import Image

from service.openapi import FILE, contract

CLIENT = "made_client"


def test_the_contract_is_the_one_in_the_docs() -> None:
    assert FILE.read_text() == contract(), "run 'python -m service.openapi' if that is meant"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / CLIENT
    scripts = Path(sys.executable).parent
    # The generator formats what it wrote with the ruff that it finds on PATH.
    monkeypatch.setenv("PATH", str(scripts), prepend=os.pathsep)
    command = [scripts / "openapi-python-client", "generate", "--path", FILE]
    done = subprocess.run(
        [*command, "--output-path", folder, "--meta", "none", "--fail-on-warning"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("made")
async def test_a_generated_client_works(few: Path) -> None:
    client_module = importlib.import_module(CLIENT)
    models = importlib.import_module(f"{CLIENT}.models")
    api = f"{CLIENT}.api.search"
    text_to_image = importlib.import_module(f"{api}.text_to_image")
    image_to_text = importlib.import_module(f"{api}.image_to_text")
    item = importlib.import_module(f"{api}.item")
    picture = io.BytesIO()
    Image.new("RGB", (16, 16)).save(picture, "PNG")
    async with served(few) as (_, url):
        with client_module.Client(base_url=url) as client:
            wanted = models.Filter.from_dict({"field": "year", "gte": 1900})
            query = models.TextQuery(query="two boats", top_k=3, filter_=wanted)
            answer = await asyncio.to_thread(text_to_image.sync, client=client, body=query)
            assert [one.rank for one in answer.items] == [1, 2, 3]
            assert answer.items[0].metadata["year"] >= 1990
            image = base64.b64encode(picture.getvalue()).decode()
            query = models.ImageQuery(image=image, top_k=2)
            answer = await asyncio.to_thread(image_to_text.sync, client=client, body=query)
            assert len(answer.items) == 2
            found = await asyncio.to_thread(item.sync, answer.items[0].id, client=client)
            assert found.text
            refused = models.TextQuery(query="a boat", top_k=10**6)
            answer = await asyncio.to_thread(text_to_image.sync, client=client, body=refused)
            assert "top_k" in answer.error
