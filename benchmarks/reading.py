"""How fast a corpus is read, and in how much memory: from JSON lines and from a table, a caption a
row, five rows a picture.

Each size is read by a process of its own, whose peak of memory is told. Pictures are there but not
decoded.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import argument_parser, record
from offline.corpus.reader import read_corpus

_CAPTIONS = 5
_A_FOLDER = 1000  # pictures


def main() -> None:
    parser = argument_parser(__doc__, rounds=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000], help="rows")
    parser.add_argument("--read", type=Path, help="read this, tell what it took, and end")
    arguments = parser.parse_args()
    if arguments.read is not None:
        _read(arguments.read)
        return
    measured: dict[str, Any] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        _pictures(folder, max(arguments.sizes) // _CAPTIONS)
        for size in arguments.sizes:
            for layout, file in _written(folder, size):
                command = [sys.executable, "-m", "benchmarks.reading", "--read", str(file)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                told = json.loads(done.stdout)
                assert told["pictures"] == size // _CAPTIONS, told
                measured[f"{layout} {size}"] = told | {"rows_a_second": size / told["seconds"]}
                file.unlink()
    first, last = arguments.sizes[0], arguments.sizes[-1]
    ratios = {
        f"{layout}_{what}_{last}_to_{first}": (
            measured[f"{layout} {last}"][what] / measured[f"{layout} {first}"][what]
        )
        for layout in ("lines", "table")
        for what in ("peak_mb", "rows_a_second")
    }
    record("reading", ratios, measured, arguments.out)


def _read(file: Path) -> None:
    began = time.perf_counter()
    corpus = read_corpus(file, decode=False)
    seconds = time.perf_counter() - began
    fingerprint = corpus.fingerprint
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"seconds": seconds, "peak_mb": peak, "pictures": len(corpus.pictures)}
    print(json.dumps(told | {"fingerprint": fingerprint}))


def _pictures(folder: Path, count: int) -> None:
    for number in range(count):
        file = folder / _name(number)
        if number % _A_FOLDER == 0:
            file.parent.mkdir()
        file.touch()


def _name(number: int) -> str:
    return f"{number // _A_FOLDER:05}/{number}.png"


def _written(folder: Path, size: int) -> Iterator[tuple[str, Path]]:
    """A file of captions in each layout."""
    lines = folder / "captions.jsonl"
    with lines.open("w") as file:
        file.writelines(json.dumps({"image": n, "caption": c}) + "\n" for n, c in _rows(size))
    yield "lines", lines
    table = folder / "captions.csv"
    with table.open("w") as file:
        file.write("image,caption\n")
        file.writelines(f'{name},"{caption}"\n' for name, caption in _rows(size))
    yield "table", table


def _rows(size: int) -> Iterator[tuple[str, str]]:
    """Never a list of them: the peak of a process counts what its parent had when it began."""
    for number in range(size // _CAPTIONS):
        for told in range(_CAPTIONS):
            yield _name(number), f"A boat, picture {number} of many, told for the time {told}."


if __name__ == "__main__":
    main()
