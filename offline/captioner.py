"""The captioner: a multimodal model, through vLLM, writes the captions that pictures lack."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from offline.corpus import Corpus, Picture
from offline.pictures import open_picture
from offline.progress import progress
from semcore.errors import ModelError
from semcore.prompt import IMAGE

_BATCH = 64
_MAX_TOKENS = 48
_PROMPT = (
    f"<|im_start|>user\n{IMAGE}\nDescribe the image in one sentence: what is seen, how many, in "
    "which colours, where.<|im_end|>\n<|im_start|>assistant\n"
)


def caption_corpus(corpus: Corpus, model: str, done: Path) -> Corpus:
    """The corpus with a generated caption for each picture that has none.

    Args:
        model: InternVL checkpoint in Hugging Face format, path or hub name.
        done: JSON-lines file of finished captions, appended to after each batch; pictures in it
            are not captioned again, so that an interrupted run goes on where it stopped.

    Raises:
        ModelError: vLLM cannot load the model.
    """
    written = _read(done)
    todo = [p for p in corpus.pictures if not p.captions and p.id not in written]
    if todo:
        written |= _generate(todo, corpus.image_root, model, done)
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


def _generate(pictures: Sequence[Picture], root: Path, model: str, done: Path) -> dict[str, str]:
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    from vllm import LLM, SamplingParams
    from vllm.platforms import current_platform

    try:
        llm = LLM(
            model,
            limit_mm_per_prompt={"image": 1, "video": 0},
            block_size=32 if current_platform.is_cpu() else None,
            max_num_seqs=_BATCH,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"vLLM cannot load the captioner {model}: {error}") from error
    params = SamplingParams(temperature=0.0, max_tokens=_MAX_TOKENS)
    captions: dict[str, str] = {}
    starts = range(0, len(pictures), _BATCH)
    with done.open("a") as file:
        file.write("\n")  # ends the half line of an interrupted run
        for start in progress(starts, "captioning", total=len(starts)):
            batch = pictures[start : start + _BATCH]
            requests = [
                {
                    "prompt": _PROMPT,
                    "multi_modal_data": {"image": open_picture(root / picture.image)},
                }
                for picture in batch
            ]
            for picture, output in zip(
                batch, llm.generate(requests, params, use_tqdm=False), strict=True
            ):
                caption = " ".join(output.outputs[0].text.split()) or "a picture"
                captions[picture.id] = caption
                file.write(json.dumps({"id": picture.id, "caption": caption}) + "\n")
            file.flush()
    return captions
