"""One search on the demo model, alone on the machine, among as many identifiers as corpora have.

* earlier: the program of another checkout, on the same model and the same identifiers.
* stock: vLLM's own beam search on the same engine, unconstrained, as many tokens as the longest
  identifier found has.
* requests: constrained; each beam of each step a request of its own, masked by our processor.
* hugging face: ``generate`` constrained by ``prefix_allowed_tokens_fn``.
* to the end: ours with beams that spell to the end, as the paper's do.

Beside it what weighing answers takes, and a search of which ten candidates are judged.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.demo_engine import (
    MAX_LOGPROBS,
    DemoEngine,
    add_arguments,
    demo_spelling,
    start_demo,
)
from benchmarks.measure import argument_parser, interleaved_async, medians, record
from benchmarks.plot import bars
from benchmarks.program import OURS, Program
from benchmarks.rivals import HuggingFaceBeams, RequestBeams, StockBeams
from benchmarks.synthetic import draw_identifiers, enlarged_spelling, spell, walk_over
from semcore.identifiers.tokens import load_tokenizer
from semcore.model.prompt import identifier_prompt, verification_prompt
from service.beams.side import Side

SIZES = (31_783, 1_000_000)
BEAM_WIDTHS = (20, 50)
CLUSTERS = 128
WORDS = 20_000
CLIENTS = 16
_SEARCHES = 3 * CLIENTS
_JUDGED = 10
_ANSWERS = range(12, 21)  # tokens of a caption
_FIRST = 10  # token of the demo's vocabulary that is no special one
_WEIGHED = 500  # tokens from there on
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
    model = demo.index.bundle.model
    assert model is not None
    checkouts = {"ours": OURS}
    if arguments.earlier:
        checkouts["earlier"] = arguments.earlier
    programs = {name: Program(path, model, MAX_LOGPROBS) for name, path in checkouts.items()}
    with tempfile.TemporaryDirectory() as folder:
        corpora = [_corpus(demo, size, Path(folder)) for size in arguments.sizes]
        measured = asyncio.run(_Bench(demo, programs, arguments.rounds).run(corpora))
    for program in programs.values():
        program.stop()
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
    assert demo.index.bundle.model is not None
    tokens = range(_FIRST, len(load_tokenizer(demo.index.bundle.model)))
    spelling = enlarged_spelling(demo_spelling(demo), tokens, CLUSTERS, WORDS)
    identifiers = draw_identifiers(size, CLUSTERS, WORDS)
    stem = folder / str(size)
    walk_over(identifiers, spelling).save(stem)
    return _Corpus(size, stem, Side.of(stem), spell(identifiers, spelling)[1])


class _Bench:
    """Runs all systems in turns."""

    def __init__(self, demo: DemoEngine, programs: Mapping[str, Program], rounds: int) -> None:
        self._demo = demo
        self._programs = programs
        self._rounds = rounds
        self._stock = StockBeams(demo.engine.llm)
        self._requests = RequestBeams(demo.engine.llm)
        bundle = demo.index.bundle
        assert bundle.model is not None
        self._hugging_face = HuggingFaceBeams(bundle.model, bundle.image_root)
        self._pictures = [
            str(Path(bundle.image_root) / item.image)
            for item in islice(bundle.store.of_split("test", "image"), _JUDGED)
        ]
        self._longest = 1  # tokens of an identifier that was found last

    async def run(self, corpora: Sequence[_Corpus]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = {"searches": {}}
            for corpus in corpora:
                found["searches"][corpus.size] = {
                    width: await self._searches(corpus, width) for width in BEAM_WIDTHS
                }
            found["verified"] = await self._compared(partial(self._verified, corpora[-1]))
            found["sixteen_clients"] = await self._compared(
                partial(self._many, corpora[-1]), stock=partial(self._many_stock, corpora[-1])
            )
            rng = np.random.default_rng(0)
            for count in (1, _JUDGED):
                found[f"weigh_{count}"] = await self._compared(partial(self._weighed, rng, count))
            return found
        finally:
            await self._demo.stop()

    async def _searches(self, corpus: _Corpus, width: int) -> dict[str, dict[str, float]]:
        """Median seconds and steps of each system."""
        (layer,) = corpus.side.layers
        steps: dict[str, list[int]] = {}

        def program(name: str, title: str, leaf_limit: int | None = None) -> Task:
            async def search(_: int) -> float:
                await asyncio.sleep(_REST)
                found = self._programs[name].search(
                    [self._prompt()], corpus.stem, width, leaf_limit=leaf_limit
                )
                await asyncio.sleep(_REST)
                steps.setdefault(title, []).extend(found.steps)
                self._longest = int(corpus.lengths[found.items].max())
                return found.seconds

            return search

        async def stock(_: int) -> float:
            tokens = list(self._demo.engine.prompt(self._prompt()).tokens)
            began = time.perf_counter()
            await self._stock.search(tokens, width, self._longest)
            return time.perf_counter() - began

        async def requests(_: int) -> float:
            tokens = list(self._demo.engine.prompt(self._prompt()).tokens)
            began = time.perf_counter()
            await self._requests.search(tokens, corpus.side, width)
            return time.perf_counter() - began

        async def hugging_face(_: int) -> float:
            await asyncio.sleep(_REST)
            caption = next(self._demo.captions)
            began = time.perf_counter()
            self._hugging_face.search("text-to-image", caption, layer.walk, width)
            return time.perf_counter() - began

        systems = {name: program(name, name) for name in self._programs}
        systems |= {
            "to the end": program("ours", "to the end", leaf_limit=0),
            "stock": stock,
            "requests": requests,
            "hugging face": hugging_face,
        }
        seconds = medians(await interleaved_async(systems, self._rounds))
        return {"seconds": seconds, "steps": {n: statistics.median(s) for n, s in steps.items()}}

    async def _compared(self, task: Callable[[Program], float], **others: Task) -> dict[str, float]:
        """Median seconds of our program, the earlier one and others."""

        def of(program: Program) -> Task:
            async def run(_: int) -> float:
                await asyncio.sleep(_REST)
                took = task(program)
                await asyncio.sleep(_REST)
                return took

            return run

        systems = {name: of(program) for name, program in self._programs.items()} | others
        return medians(await interleaved_async(systems, self._rounds))

    def _verified(self, corpus: _Corpus, program: Program) -> float:
        """A search of twenty beams whose ten candidates are judged."""
        text = next(self._demo.captions)
        judged = [(verification_prompt(["boat"], text), path) for path in self._pictures]
        found = program.search([self._prompt()], corpus.stem, BEAM_WIDTHS[0], judged=judged)
        return found.seconds

    def _many(self, corpus: _Corpus, program: Program) -> float:
        """A search of twenty beams where sixteen clients search."""
        prompts = [self._prompt() for _ in range(_SEARCHES)]
        return program.search(prompts, corpus.stem, BEAM_WIDTHS[0], CLIENTS).seconds / _SEARCHES

    async def _many_stock(self, corpus: _Corpus, _: int) -> float:
        prompts = [self._demo.engine.prompt(self._prompt()) for _ in range(_SEARCHES)]
        waiting = iter([list(prompt.tokens) for prompt in prompts])

        async def client() -> None:
            for tokens in waiting:
                await self._stock.search(tokens, BEAM_WIDTHS[0], self._longest)

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return (time.perf_counter() - began) / _SEARCHES

    def _weighed(self, rng: np.random.Generator, count: int, program: Program) -> float:
        """So many answers of twelve to twenty tokens."""
        lengths = rng.choice(_ANSWERS, count)
        answers = [rng.integers(_FIRST, _WEIGHED, length).tolist() for length in lengths]
        return program.weigh(self._prompt(), answers)[0]

    def _prompt(self) -> str:
        return identifier_prompt("text-to-image", next(self._demo.captions))


def _ratios(measured: dict[str, Any]) -> dict[str, float]:
    parts = {
        f"{width}_beams_{size}": found["seconds"]
        for size, widths in measured["searches"].items()
        for width, found in widths.items()
    }
    parts |= {name: measured[name] for name in measured if name != "searches"}
    return {
        f"ours_to_{system.replace(' ', '_')}_{part}": seconds["ours"] / took
        for part, seconds in parts.items()
        for system, took in seconds.items()
        if system != "ours"
    }


if __name__ == "__main__":
    main()
