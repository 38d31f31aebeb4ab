"""Searches as it is told on standard input, a line of JSON each; run by :mod:`benchmarks.program`.

It is run with the modules of whatever checkout stands first in Python's path, of which it knows
where an earlier program had what it needs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

ANSWER = "answer: "


def main() -> None:
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))


async def _serve(model: Path, max_logprobs: int) -> None:
    settings = import_module("service.settings").Settings(bundle=Path(), enforce_eager=False)
    engine = _module("service.engine.vllm_engine", "service.vllm_engine").VllmEngine.start(
        model, settings, max_logprobs=max_logprobs
    )
    side_of = _module("service.beams.side", "service.snapshot").Side.of
    sides: dict[str, Any] = {}
    _tell({"is_ready": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        if "walk" in asked and asked["walk"] not in sides:
            sides[asked["walk"]] = side_of(Path(asked["walk"]))
        _tell(await _answer(engine, sides.get(asked.get("walk")), asked))
    await engine.stop()


async def _answer(engine: Any, side: Any, asked: dict[str, Any]) -> dict[str, Any]:
    if "answers" in asked:
        began = time.perf_counter()
        logprobs = await engine.weigh(engine.prompt(asked["prompts"][0]), asked["answers"])
        return {"seconds": time.perf_counter() - began, "logprobs": logprobs}
    waiting = iter(asked["prompts"])

    async def client() -> None:
        for text in waiting:
            found = await engine.find(
                engine.prompt(text), side, asked["beam_width"], constrained=True
            )
            steps.append(len(found.steps))
            items.extend(side.layers.items_of(beam.leaves)[0] for beam in found.beams)
            if asked["judged"]:
                await engine.judge([engine.prompt(*one) for one in judged])

    if asked["leaf_limit"] is not None:  # of which earlier programs know nothing
        engine.leaf_limit = asked["leaf_limit"]
    steps: list[int] = []
    items: list[int] = []
    judged = [(text, [_picture(path)]) for text, path in asked["judged"]]
    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(asked["clients"])))
    took = time.perf_counter() - began
    if asked["leaf_limit"] is not None:
        engine.leaf_limit = None
    return {"seconds": took, "steps": steps, "items": items}


def _picture(path: str) -> Any:
    """Decoded, and with a key of its own: nothing of it is cached."""
    image_module = import_module("PIL.Image")
    with image_module.open(path) as image:
        picture = _module("service.engine.protocol", "service.engine").Picture
        return picture(image.convert("RGB"), f"{path} {time.perf_counter_ns()}")


def _module(*names: str) -> Any:
    """The first of these that there is."""
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(f"none of {names} can be imported")


def _tell(answer: dict[str, Any]) -> None:
    print(ANSWER + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
