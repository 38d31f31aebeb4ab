"""The captioner: a multimodal model, through vLLM, writes the captions that pictures lack."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from offline.corpus.corpus import Corpus
from offline.corpus.picture import Picture
from offline.workers import Here, Workers
from semcore.bars import has_bars
from semcore.errors import ModelError
from semcore.model.eyesight import LARGEST
from semcore.model.prompt import description_prompt
from semcore.pictures.picture import open_picture
from semcore.pictures.picture_source import picture_source

_BATCH = 64
_MAX_TOKENS = 48


def caption_corpus(
    corpus: Corpus, model: str, done: Path, workers: Workers | None = None
) -> Corpus:
    """The corpus with a generated caption for each picture that has none.

    Args:
        model: InternVL checkpoint in Hugging Face format, path or hub name.
        done: JSON-lines file of finished captions, appended to after each batch; pictures in it
            are not captioned again, so that an interrupted run goes on where it stopped.
        workers: who write them, in place of this process.

    Raises:
        ModelError: vLLM cannot load the model.
    """
    written = _read(done)
    todo = [p for p in corpus.pictures if not p.captions and p.id not in written]
    if todo:
        captioner = partial(_Captioner, model, corpus.image_root)
        written |= _generate(todo, captioner, done, workers or Here())
    pictures = [
        picture if picture.captions else replace(picture, generated=written[picture.id])
        for picture in corpus.pictures
    ]
    return replace(corpus, pictures=pictures)


def _read(done: Path) -> dict[str, str]:
    if not done.exists():
        return {}
    captions = {}
    for line in done.read_text().split("\n"):
        try:
            row = json.loads(line)
            captions[row["id"]] = row["caption"]
        except (json.JSONDecodeError, KeyError, TypeError):
            continue  # the last line of an interrupted run
    return captions


def _generate(
    pictures: Sequence[Picture], captioner: partial[_Captioner], done: Path, workers: Workers
) -> dict[str, str]:
    batches = [pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)]
    captions: dict[str, str] = {}
    with done.open("a") as file:
        file.write("\n")  # ends the half line of an interrupted run
        for batch, found in zip(
            batches, workers.with_each(captioner, batches, "captioning"), strict=True
        ):
            for picture, caption in zip(batch, found, strict=True):
                captions[picture.id] = caption
                file.write(json.dumps({"id": picture.id, "caption": caption}) + "\n")
            file.flush()
    return captions


class _Captioner:
    """A model that is loaded in vLLM."""

    def __init__(self, model: str, root: str) -> None:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        from vllm import LLM, SamplingParams
        from vllm.platforms import current_platform

        self._root = root
        self._params = SamplingParams(temperature=0.0, max_tokens=_MAX_TOKENS)
        try:
            self._llm = LLM(
                model,
                limit_mm_per_prompt={"image": 1, "video": 0},
                block_size=32 if current_platform.is_cpu() else None,
                max_num_seqs=_BATCH,
                use_tqdm_on_load=has_bars(),
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(f"vLLM cannot load the captioner {model}: {error}") from error

    def __call__(self, pictures: Sequence[Picture]) -> list[str]:
        requests = [
            {
                "prompt": description_prompt(),
                "multi_modal_data": {
                    "image": open_picture(picture_source(self._root, picture.image), LARGEST)
                },
            }
            for picture in pictures
        ]
        outputs = self._llm.generate(requests, self._params, use_tqdm=False)
        return [" ".join(one.outputs[0].text.split()) or "a picture" for one in outputs]
