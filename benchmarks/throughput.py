"""Searches a second on the demo model, by the number of clients that search at a time.

Ours against vLLM's own beam search on the same engine, unconstrained, as many tokens as the longest
identifier found has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import numpy as np

from benchmarks.demo_engine import DemoEngine, add_arguments, processor_seconds, start_demo
from benchmarks.measure import argument_parser, interleaved_async, medians, record
from benchmarks.plot import lines
from benchmarks.rivals import StockBeams
from semcore.model.prompt import identifier_prompt

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
BEAM_WIDTH = 20
_SEARCHES_A_CLIENT = 3
_FEWEST = 16


def main() -> None:
    parser = argument_parser(__doc__, rounds=7)
    add_arguments(parser)
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    arguments = parser.parse_args()
    demo = start_demo(arguments)
    measured = asyncio.run(_run(demo, arguments.clients, arguments.rounds))
    ratios = {
        f"ours_to_stock_{clients}_clients": found["stock"]["seconds"] / found["ours"]["seconds"]
        for clients, found in measured.items()
    }
    lines(
        "throughput",
        f"Searches a second, {BEAM_WIDTH} beams",
        ("clients", "searches a second"),
        {
            system: [(n, 1 / found[system]["seconds"]) for n, found in measured.items()]
            for system in ("ours", "stock")
        },
        arguments.out,
    )
    record("throughput", ratios, {"a_search": measured}, arguments.out)


async def searches_a_second(
    demo: DemoEngine, clients: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Seconds and processor seconds that a search takes where so many run at a time, medians."""
    engine = demo.engine
    side = demo.index.snapshot.side("image")
    assert side is not None
    stock = StockBeams(engine.llm)
    searches = max(_FEWEST, _SEARCHES_A_CLIENT * clients)
    length = await _longest(demo)
    processor: dict[str, list[float]] = {"ours": [], "stock": []}

    async def ours() -> None:
        prompt = engine.prompt(identifier_prompt("text-to-image", next(demo.captions)))
        await engine.find(prompt, side, BEAM_WIDTH, constrained=True)

    async def stock_beams() -> None:
        prompt = engine.prompt(identifier_prompt("text-to-image", next(demo.captions)))
        await stock.search(list(prompt.tokens), BEAM_WIDTH, length)

    def many(name: str, search: Callable[[], Awaitable[None]]) -> Callable[[int], Awaitable[float]]:
        async def run(_: int) -> float:
            left = iter(range(searches))

            async def client() -> None:
                for _ in left:
                    await search()

            before, began = processor_seconds(), time.perf_counter()
            await asyncio.gather(*(client() for _ in range(clients)))
            took = (time.perf_counter() - began) / searches
            processor[name].append((processor_seconds() - before) / searches)
            return took

        return run

    tasks = {"ours": many("ours", ours), "stock": many("stock", stock_beams)}
    seconds = medians(await interleaved_async(tasks, rounds))
    used = medians({name: values[1:] for name, values in processor.items()})
    return {name: {"seconds": seconds[name], "processor_seconds": used[name]} for name in seconds}


async def _longest(demo: DemoEngine) -> int:
    """Tokens of the longest identifier that a search finds, the median of some."""
    side = demo.index.snapshot.side("image")
    assert side is not None
    lengths = []
    for _ in range(_FEWEST):
        prompt = demo.engine.prompt(identifier_prompt("text-to-image", next(demo.captions)))
        found = await demo.engine.find(prompt, side, BEAM_WIDTH, constrained=True)
        numbers = [side.layers.items_of(beam.leaves)[0] for beam in found.beams]
        items = demo.index.snapshot.items(numbers)
        lengths.append(max(len(demo.engine.spell(item.identifier)) for item in items))
    return int(np.median(lengths))


async def _run(
    demo: DemoEngine, clients: list[int], rounds: int
) -> dict[int, dict[str, dict[str, float]]]:
    try:
        return {count: await searches_a_second(demo, count, rounds) for count in clients}
    finally:
        await demo.stop()


if __name__ == "__main__":
    main()
