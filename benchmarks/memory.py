"""What the walk takes on disk and in memory, and how soon it is ready, beside the marisa-trie."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import marisa_trie
import numpy as np
import torch

from benchmarks.measure import argument_parser, interleaved, medians, record
from benchmarks.plot import bars
from benchmarks.synthetic import (
    draw_identifiers,
    invented_spelling,
    invented_words,
    texts,
    walk_over,
)
from semcore.trie.walk import ROOT, file_names, load_walk
from service.beams.mask import WalkTensors, allowed_pairs

SIZES = (31_783, 1_000_000, 10_000_000)
CLUSTERS = 128
WORDS = 20_000
_ITEMS = ("items", "shared", "surplus")


def main() -> None:
    parser = argument_parser(__doc__, rounds=7)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="identifiers")
    parser.add_argument("--resident", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.resident:
        print(resident_bytes(arguments.resident))
        return
    measured = {size: measure(size, arguments.rounds) for size in arguments.sizes}
    ratios = {}
    for size, found in measured.items():
        ratios[f"resident_bytes_an_identifier_{size}"] = found["resident"] / size
        ratios[f"file_to_marisa_{size}"] = found["walk_file"] / found["marisa_file"]
        ratios[f"file_with_items_to_marisa_{size}"] = (
            found["walk_file"] + found["items_file"]
        ) / found["marisa_file"]
        ratios[f"marisa_build_to_ready_{size}"] = found["marisa_build"] / found["ready"]
    bars(
        "memory",
        "Bytes an identifier",
        "bytes",
        {
            f"{size:,} identifiers": {
                "walk": {"file": found["walk_file"] / size, "resident": found["resident"] / size},
                "marisa": {"file": found["marisa_file"] / size, "resident": float("nan")},
            }
            for size, found in measured.items()
        },
        arguments.out,
        logarithmic=False,
    )
    record("memory", ratios, measured, arguments.out)


def measure(size: int, rounds: int) -> dict[str, float]:
    """Bytes of files and memory, and seconds, for one number of identifiers."""
    identifiers = draw_identifiers(size, CLUSTERS, WORDS)
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "image"
        began = time.perf_counter()
        walk = walk_over(identifiers, invented_spelling(CLUSTERS, WORDS))
        built = time.perf_counter() - began
        walk.save(stem)
        del walk
        spelled = list(texts(identifiers, invented_words(WORDS)))
        began = time.perf_counter()
        trie = marisa_trie.Trie(spelled)
        marisa_built = time.perf_counter() - began
        trie.save(f"{stem}.marisa")
        sizes = {name: (Path(folder) / name).stat().st_size for name in file_names("image")}
        items = sum(sizes[f"image.{name}.npy"] for name in _ITEMS)
        command = [sys.executable, "-m", "benchmarks.memory", "--resident", str(stem)]
        resident = subprocess.run(command, check=True, capture_output=True, text=True)
        return {
            "walk_file": sum(sizes.values()) - items,
            "items_file": items,
            "marisa_file": Path(f"{stem}.marisa").stat().st_size,
            "resident": int(resident.stdout.split()[-1]),
            "walk_build": built,
            "marisa_build": marisa_built,
            "ready": medians(interleaved({"ready": lambda: ready(stem)}, rounds))["ready"],
        }


def ready(stem: Path) -> Any:
    """Open the files and list what may follow the root, as a service does at its start."""
    walk = load_walk(stem)
    assert walk.depth
    tensors = WalkTensors.of(walk, torch.device("cpu"))
    return allowed_pairs(tensors, torch.tensor([ROOT]))


def resident_bytes(stem: Path) -> int:
    """Memory of the mapped files once every page of them has been read (Linux)."""
    walk = load_walk(stem)
    for name in file_names(stem.name):
        array = getattr(walk, name.split(".")[-2])
        assert np.asarray(array).sum() >= 0
    total, mine = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            mine = line.endswith(tuple(str(stem.parent / n) for n in file_names(stem.name)))
        elif mine and line.startswith("Rss:"):
            total += 1024 * int(line.split()[1])
    return total


if __name__ == "__main__":
    main()
