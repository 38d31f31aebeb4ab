"""One search as the index grows: the same queries, the same model, more identifiers.

Beside it exact search with a flat index of dense vectors (faiss), 384 numbers each, without the
time that it takes to embed the query.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.demo_engine import DemoEngine, add_arguments, demo_spelling, start_demo
from benchmarks.measure import argument_parser, interleaved, interleaved_async, medians, record
from benchmarks.plot import lines
from benchmarks.synthetic import draw_identifiers, walk_over
from semcore.model.prompt import identifier_prompt
from service.beams.side import Side

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
BEAM_WIDTH = 20
_DIMENSIONS = 384
_CHUNK = 100_000


def main() -> None:
    parser = argument_parser(__doc__, rounds=41)
    add_arguments(parser)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="identifiers")
    arguments = parser.parse_args()
    sizes = sorted(arguments.sizes)
    demo = start_demo(arguments)
    with tempfile.TemporaryDirectory() as folder:
        walks = save_walks(demo, sizes, Path(folder))
        ours = asyncio.run(_run(demo, walks, arguments.rounds))
    flat = {size: flat_search(size, 7) for size in sizes}
    smallest, largest = sizes[0], sizes[-1]
    lines(
        "scale",
        f"One search, {BEAM_WIDTH} beams",
        ("items", "milliseconds"),
        {
            "generated identifiers": [(size, 1000 * ours[size]) for size in sizes],
            "flat index of vectors": [(size, 1000 * flat[size]) for size in sizes],
        },
        arguments.out,
    )
    record(
        "scale",
        {
            f"latency_{largest}_to_{smallest}": ours[largest] / ours[smallest],
            **{f"flat_to_ours_{size}": flat[size] / ours[size] for size in sizes},
        },
        {"seconds": {"ours": ours, "flat": flat}},
        arguments.out,
    )


def save_walks(demo: DemoEngine, sizes: list[int], folder: Path) -> dict[int, Path]:
    """Walks over the clusters and words of the demo, a smaller one part of each larger one."""
    spelling = demo_spelling(demo)
    everything = draw_identifiers(sizes[-1], len(spelling.clusters), len(spelling.words))
    stems = {}
    for size in sizes:
        stems[size] = folder / str(size)
        walk_over(everything[:size], spelling).save(stems[size])
    return stems


async def _run(demo: DemoEngine, walks: dict[int, Path], rounds: int) -> dict[int, float]:
    try:
        return await _measure(demo, walks, rounds)
    finally:
        await demo.stop()


async def _measure(demo: DemoEngine, walks: dict[int, Path], rounds: int) -> dict[int, float]:
    """Median seconds by number of identifiers."""
    sides = {size: Side.of(stem) for size, stem in walks.items()}
    captions = [next(demo.captions) for _ in range(rounds + 1)]

    async def search(size: int, side: Side, turn: int) -> float:
        # The sizes must not find each other's beginnings in the cache.
        text = identifier_prompt("text-to-image", f"{size} {captions[turn]}")
        began = time.perf_counter()
        prompt = demo.engine.prompt(text)
        found = await demo.engine.find(prompt, side, BEAM_WIDTH, constrained=True)
        items = [side.layers.items_of(beam.leaves) for beam in found.beams]
        took = time.perf_counter() - began
        assert len(items) == BEAM_WIDTH
        return took

    tasks = {str(size): partial(search, size, side) for size, side in sides.items()}
    measured = medians(await interleaved_async(tasks, rounds))
    return {int(size): seconds for size, seconds in measured.items()}


def flat_search(size: int, rounds: int) -> float:
    """Median seconds of an exact search of ten among ``size`` vectors of unit length."""
    import faiss  # of the extra "rivals", which those who only take walks from here may lack

    rng = np.random.default_rng(0)
    index = faiss.IndexFlatIP(_DIMENSIONS)
    for start in range(0, size, _CHUNK):
        rows = min(_CHUNK, size - start)
        vectors = rng.standard_normal((rows, _DIMENSIONS), dtype=np.float32)
        index.add(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    query = rng.standard_normal((1, _DIMENSIONS), dtype=np.float32)
    return medians(interleaved({"flat": lambda: index.search(query, 10)}, rounds))["flat"]


if __name__ == "__main__":
    main()
