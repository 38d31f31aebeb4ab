"""One search on the demo model, alone on the machine, among as many identifiers as corpora have.

* earlier: the program of another checkout, on the same model and the same identifiers.
* stock: vLLM's own beam search on the same engine, unconstrained, as many tokens as the longest
  identifier found has.
* requests: constrained; each beam of each step a request of its own, masked by our processor.
* hugging face: ``generate`` constrained by ``prefix_allowed_tokens_fn``.
* leaves: ours, which scores all identifiers in reach at once as soon as they are few.

Beside it what weighing answers takes, and a search of which ten candidates are judged.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.demo_engine import (
    MAX_LOGPROBS,
    DemoEngine,
    add_arguments,
    demo_spelling,
    start_demo,
)
from benchmarks.earlier import EarlierProgram
from benchmarks.measure import argument_parser, interleaved_async, medians, record
from benchmarks.plot import bars
from benchmarks.rivals import HuggingFaceBeams, RequestBeams, StockBeams
from benchmarks.synthetic import draw_identifiers, enlarged_spelling, spell, walk_over
from semcore.model.prompt import identifier_prompt, verification_prompt
from service.beams.side import Side
from service.engine.protocol import Picture

SIZES = (31_783, 1_000_000)
BEAM_WIDTHS = (20, 50)
CLUSTERS = 128
WORDS = 20_000
CLIENTS = 16
_JUDGED = 10
_ANSWERS = range(12, 21)  # tokens of a caption
_FIRST, _LAST = 10, 690  # tokens of the demo's vocabulary that are no special ones
# An engine looks for work without pause for a second; another process must not suffer from it.
_REST = 1.5

Task = Callable[[int], Awaitable[float]]


def main() -> None:
    parser = argument_parser(__doc__, rounds=9)
    add_arguments(parser)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="identifiers")
    parser.add_argument("--earlier", type=Path, help="a checkout of an earlier commit")
    arguments = parser.parse_args()
    demo = start_demo(arguments)
    assert demo.index.bundle.model is not None
    earlier = None
    if arguments.earlier:
        earlier = EarlierProgram(arguments.earlier, demo.index.bundle.model, MAX_LOGPROBS)
    with tempfile.TemporaryDirectory() as folder:
        corpora = [_corpus(demo, size, Path(folder)) for size in arguments.sizes]
        bench = _Bench(demo, earlier, arguments.rounds)
        measured = asyncio.run(bench.run(corpora))
    if earlier is not None:
        earlier.stop()
    bars(
        "search",
        "One search on the demo model",
        "milliseconds",
        {
            f"{size:,} identifiers": {
                system: {
                    f"{width} beams": 1000 * found[width]["seconds"][system]
                    for width in BEAM_WIDTHS
                }
                for system in found[BEAM_WIDTHS[0]]["seconds"]
            }
            for size, found in measured["searches"].items()
        },
        arguments.out,
        logarithmic=False,
    )
    record("search", _ratios(measured), measured, arguments.out)


@dataclass(frozen=True, slots=True)
class _Corpus:
    """Attributes:
    lengths: int64 [identifiers], tokens of each.
    """

    size: int
    stem: Path
    side: Side
    lengths: NDArray[np.int64]


def _corpus(demo: DemoEngine, size: int, folder: Path) -> _Corpus:
    spelling = enlarged_spelling(demo_spelling(demo), range(_FIRST, _LAST), CLUSTERS, WORDS)
    identifiers = draw_identifiers(size, CLUSTERS, WORDS)
    stem = folder / str(size)
    walk_over(identifiers, spelling).save(stem)
    return _Corpus(size, stem, Side.of(stem), spell(identifiers, spelling)[1])


class _Bench:
    """Runs all systems in turns, and counts the engine's steps of ours and of the earlier one."""

    def __init__(self, demo: DemoEngine, earlier: EarlierProgram | None, rounds: int) -> None:
        self._demo = demo
        self._engine = demo.engine
        self._earlier = earlier
        self._rounds = rounds
        self._longest = 1  # tokens of an identifier that was found last
        self._stock = StockBeams(demo.engine.llm)
        self._requests = RequestBeams(demo.engine.llm)
        bundle = demo.index.bundle
        assert bundle.model is not None
        self._hugging_face = HuggingFaceBeams(bundle.model, bundle.image_root)
        self._pictures = [
            str(Path(bundle.image_root) / item.image)
            for item in islice(bundle.store.of_split("test", "image"), _JUDGED)
        ]

    async def run(self, corpora: Sequence[_Corpus]) -> dict[str, Any]:
        try:
            return {
                "searches": {
                    corpus.size: {
                        width: await self._searches(corpus, width) for width in BEAM_WIDTHS
                    }
                    for corpus in corpora
                },
                "verified": await self._verified(corpora[-1]),
                "sixteen_clients": await self._clients(corpora[-1]),
                "weigh": await self._weighed(),
            }
        finally:
            await self._demo.stop()

    async def _searches(self, corpus: _Corpus, width: int) -> dict[str, dict[str, float]]:
        """Median seconds and steps of each system."""
        (layer,) = corpus.side.layers
        steps: dict[str, list[int]] = {"ours": [], "leaves": [], "earlier": []}

        async def ours(_: int, name: str = "ours", leaf_limit: int = 0) -> float:
            prompt = self._engine.prompt(self._prompt())
            self._engine.leaf_limit = leaf_limit
            began = time.perf_counter()
            found = await self._engine.find(prompt, corpus.side, width, constrained=True)
            took = time.perf_counter() - began
            self._engine.leaf_limit = 0
            steps[name].append(len(found.steps))
            items = [corpus.side.layers.items_of(beam.leaves)[0] for beam in found.beams]
            self._longest = int(corpus.lengths[items].max())
            return took

        async def earlier(_: int) -> float:
            assert self._earlier is not None
            await asyncio.sleep(_REST)
            took, counted = self._earlier.search([self._prompt()], corpus.stem, width)
            steps["earlier"] += counted
            await asyncio.sleep(_REST)
            return took

        async def stock(_: int) -> float:
            tokens = list(self._engine.prompt(self._prompt()).tokens)
            began = time.perf_counter()
            await self._stock.search(tokens, width, self._longest)
            return time.perf_counter() - began

        async def requests(_: int) -> float:
            tokens = list(self._engine.prompt(self._prompt()).tokens)
            began = time.perf_counter()
            await self._requests.search(tokens, corpus.side, width)
            return time.perf_counter() - began

        async def hugging_face(_: int) -> float:
            await asyncio.sleep(_REST)
            caption = next(self._demo.captions)
            began = time.perf_counter()
            self._hugging_face.search("text-to-image", caption, layer.walk, width)
            return time.perf_counter() - began

        systems: dict[str, Task] = {
            "ours": ours,
            "leaves": partial(ours, name="leaves", leaf_limit=2 * width),
            "stock": stock,
            "requests": requests,
            "hugging face": hugging_face,
        }
        if self._earlier is not None:
            systems["earlier"] = earlier
        seconds = medians(await interleaved_async(systems, self._rounds))
        counted = {name: statistics.median(found) for name, found in steps.items() if found}
        return {"seconds": seconds, "steps": counted}

    async def _verified(self, corpus: _Corpus) -> dict[str, float]:
        """Median seconds of a search of twenty beams whose ten candidates are judged."""

        def judged() -> list[tuple[str, str]]:
            text = next(self._demo.captions)
            return [(verification_prompt(["boat"], text), path) for path in self._pictures]

        async def ours(_: int) -> float:
            prompt = self._engine.prompt(self._prompt())
            asked = [(text, _picture(path)) for text, path in judged()]
            began = time.perf_counter()
            await self._engine.find(prompt, corpus.side, BEAM_WIDTHS[0], constrained=True)
            await self._engine.judge([self._engine.prompt(text, [one]) for text, one in asked])
            return time.perf_counter() - began

        async def earlier(_: int) -> float:
            assert self._earlier is not None
            await asyncio.sleep(_REST)
            took, _steps = self._earlier.search(
                [self._prompt()], corpus.stem, BEAM_WIDTHS[0], judged=judged()
            )
            await asyncio.sleep(_REST)
            return took

        return await self._compared(ours, earlier)

    async def _clients(self, corpus: _Corpus) -> dict[str, float]:
        """Median seconds a search of twenty beams where sixteen run at a time."""
        count = 3 * CLIENTS

        async def ours(_: int) -> float:
            waiting = iter([self._engine.prompt(self._prompt()) for _ in range(count)])

            async def client() -> None:
                for prompt in waiting:
                    await self._engine.find(prompt, corpus.side, BEAM_WIDTHS[0], constrained=True)

            return await _together(client) / count

        async def stock(_: int) -> float:
            waiting = iter([list(self._engine.prompt(self._prompt()).tokens) for _ in range(count)])

            async def client() -> None:
                for tokens in waiting:
                    await self._stock.search(tokens, BEAM_WIDTHS[0], self._longest)

            return await _together(client) / count

        async def earlier(_: int) -> float:
            assert self._earlier is not None
            await asyncio.sleep(_REST)
            prompts = [self._prompt() for _ in range(count)]
            took, _steps = self._earlier.search(prompts, corpus.stem, BEAM_WIDTHS[0], CLIENTS)
            await asyncio.sleep(_REST)
            return took / count

        return await self._compared(ours, earlier, stock=stock)

    async def _weighed(self) -> dict[str, float]:
        """Median seconds to weigh ten answers of twelve to twenty tokens."""
        rng = np.random.default_rng(0)

        def answers() -> list[list[int]]:
            lengths = rng.choice(_ANSWERS, _JUDGED)
            return [rng.integers(_FIRST, _LAST, length).tolist() for length in lengths]

        async def ours(_: int) -> float:
            prompt, weighed = self._engine.prompt(self._prompt()), answers()
            began = time.perf_counter()
            await self._engine.weigh(prompt, weighed)
            return time.perf_counter() - began

        async def earlier(_: int) -> float:
            assert self._earlier is not None
            await asyncio.sleep(_REST)
            took, _logprobs = self._earlier.weigh(self._prompt(), answers())
            await asyncio.sleep(_REST)
            return took

        return await self._compared(ours, earlier)

    async def _compared(self, ours: Task, earlier: Task, **others: Task) -> dict[str, float]:
        systems = {"ours": ours, **others}
        if self._earlier is not None:
            systems["earlier"] = earlier
        return medians(await interleaved_async(systems, self._rounds))

    def _prompt(self) -> str:
        return identifier_prompt("text-to-image", next(self._demo.captions))


async def _together(client: Callable[[], Awaitable[None]]) -> float:
    """Seconds that so many clients take at a time."""
    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return time.perf_counter() - began


def _picture(path: str) -> Picture:
    """Decoded, and with a key of its own: nothing of it is cached."""
    with Image.open(path) as image:
        return Picture(image.convert("RGB"), f"{path} {time.perf_counter_ns()}")


def _ratios(measured: dict[str, Any]) -> dict[str, float]:
    parts = {
        f"{width}_beams_{size}": found["seconds"]
        for size, widths in measured["searches"].items()
        for width, found in widths.items()
    }
    parts |= {name: measured[name] for name in ("verified", "sixteen_clients", "weigh")}
    return {
        f"ours_to_{system.replace(' ', '_')}_{part}": seconds["ours"] / took
        for part, seconds in parts.items()
        for system, took in seconds.items()
        if system != "ours"
    }


if __name__ == "__main__":
    main()
