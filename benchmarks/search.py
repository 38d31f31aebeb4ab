"""One search on the demo model, alone on the machine: ours against three others.

* stock: vLLM's own beam search on the same engine, the same number of tokens, unconstrained.
* requests: constrained; each beam of each step a request of its own, masked by our processor.
* hugging face: ``generate`` constrained by ``prefix_allowed_tokens_fn``.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.demo_engine import DemoEngine, add_arguments, start_demo
from benchmarks.measure import argument_parser, interleaved_async, medians, record
from benchmarks.plot import bars
from benchmarks.rivals import HuggingFaceBeams, RequestBeams, StockBeams
from semcore.model.prompt import identifier_prompt
from service.search.searcher import Searcher, SearchParameters
from service.traffic.admission import Admission

BEAM_WIDTHS = (20, 50)
VERIFIED = 10
# vLLM's worker looks for work without pause for a second; another model must not suffer from it.
_REST = 1.5


def main() -> None:
    parser = argument_parser(__doc__, rounds=15)
    add_arguments(parser)
    arguments = parser.parse_args()
    demo = start_demo(arguments)
    measured = asyncio.run(_run(demo, arguments.rounds))
    ratios = {}
    for width, systems in measured.items():
        for system, seconds in systems.items():
            if system != "ours":
                ratios[f"ours_to_{system.replace(' ', '_')}_beam_{width}"] = (
                    systems["ours"] / seconds
                )
    bars(
        "search",
        "One search on the demo model",
        "milliseconds",
        {
            "alone on the machine": {
                system: {f"{width} beams": 1000 * measured[width][system] for width in measured}
                for system in measured[BEAM_WIDTHS[0]]
            }
        },
        arguments.out,
        logarithmic=False,
    )
    record("search", ratios, {"seconds": measured}, arguments.out)


async def _run(demo: DemoEngine, rounds: int) -> dict[int, dict[str, float]]:
    try:
        return {width: await _measure(demo, width, rounds) for width in BEAM_WIDTHS}
    finally:
        await demo.stop()


async def _measure(demo: DemoEngine, width: int, rounds: int) -> dict[str, float]:
    """Median seconds of each system."""
    engine, index = demo.engine, demo.index
    side = index.snapshot.side("image")
    assert side is not None
    (layer,) = side.layers
    stock, requests = StockBeams(engine.llm), RequestBeams(engine.llm)
    assert index.bundle.model is not None
    hugging_face = HuggingFaceBeams(index.bundle.model, index.bundle.image_root)
    searcher = Searcher(engine, VERIFIED, Admission(1, 0))

    def tokens(caption: str) -> list[int]:
        return list(engine.prompt(identifier_prompt("text-to-image", caption)).tokens)

    async def ours(_: int) -> float:
        prompt = engine.prompt(identifier_prompt("text-to-image", next(demo.captions)))
        began = time.perf_counter()
        found = await engine.find(prompt, side, width, constrained=True)
        lengths.append(len(found.steps))
        return time.perf_counter() - began

    async def ours_verified(_: int) -> float:
        parameters = SearchParameters(VERIFIED, width, verify="always", constrained=True)
        caption = next(demo.captions)
        began = time.perf_counter()
        await searcher.search(index.snapshot, "text-to-image", caption, parameters)
        return time.perf_counter() - began

    async def stock_beams(_: int) -> float:
        prompt = tokens(next(demo.captions))
        began = time.perf_counter()
        await stock.search(prompt, width, lengths[-1])
        return time.perf_counter() - began

    async def request_beams(_: int) -> float:
        prompt = tokens(next(demo.captions))
        began = time.perf_counter()
        await requests.search(prompt, side, width)
        return time.perf_counter() - began

    async def hugging_face_beams(_: int) -> float:
        await asyncio.sleep(_REST)
        caption = next(demo.captions)
        began = time.perf_counter()
        hugging_face.search("text-to-image", caption, layer.walk, width)
        return time.perf_counter() - began

    lengths: list[int] = []
    systems = {
        "ours": ours,
        "ours verified": ours_verified,
        "stock": stock_beams,
        "requests": request_beams,
        "hugging face": hugging_face_beams,
    }
    return medians(await interleaved_async(systems, rounds))


if __name__ == "__main__":
    main()
