"""Pictures without captions get them from a model through vLLM, each once."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from offline.corpus.captioner import caption_corpus
from offline.corpus.corpus import Corpus
from offline.corpus.reader import read_corpus
from semcore.bundle.bundle import read_manifest


@pytest.mark.slow
def test_builds_from_bare_pictures_and_goes_on_where_it_stopped(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    folder, bundle = tmp_path / "pictures", tmp_path / "bundle"
    folder.mkdir()
    for picture in corpus.pictures[:6]:
        shutil.copy(Path(corpus.image_root) / picture.image, folder)
    done = tmp_path / "bundle.captions.jsonl"
    done.write_text('{"id": "0000000.png", "caption": "written before"}\n{"id": "half')
    model = str(trained / "model")
    command = [sys.executable, "-m", "cli", "build", str(folder), str(bundle), "--captioner", model]
    subprocess.run(command, check=True, timeout=400)
    assert read_manifest(bundle).counts["images"] == 6
    rows = [json.loads(line) for line in done.read_text().splitlines() if line.endswith("}")]
    assert {row["id"] for row in rows} == {f"000000{n}.png" for n in range(6)}
    assert all(row["caption"] for row in rows)

    # All is there now: the model, here one that does not exist, is not asked again.
    again = caption_corpus(read_corpus(folder), "no-such-model", done)
    assert again.pictures[0].sources == ("written before",)
    assert all(picture.generated for picture in again.pictures)
