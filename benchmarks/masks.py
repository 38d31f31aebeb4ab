"""Which tokens may follow 50 beams, depth by depth: the walk against two common ways.

* marisa: as in GENRE, tokens as characters of a marisa-trie; the allowed ones are the next
  characters of all keys with the beam's prefix.
* dictionary: one Python dictionary a node. Built up to 1 million identifiers; more do not fit.
"""

from __future__ import annotations

from typing import Any

import marisa_trie
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measure import argument_parser, interleaved, medians, record
from benchmarks.plot import bars
from benchmarks.synthetic import draw_identifiers, invented_spelling, spell, walk_over
from semcore.trie.walk import Walk
from service.beams.mask import WalkTensors, allowed_pairs

SIZES = (31_783, 123_287, 1_000_000, 10_000_000)
BEAMS = 50
DEPTHS = range(1, 6)
CLUSTERS = 128
WORDS = 20_000
_MOST_FOR_DICTIONARIES = 1_000_000

Tree = dict[int, "Tree"]


def main() -> None:
    parser = argument_parser(__doc__, rounds=7)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="identifiers")
    arguments = parser.parse_args()
    measured = {size: measure(size, arguments.rounds) for size in arguments.sizes}
    ratios = {}
    for size, depths in measured.items():
        for rival in ("marisa", "dictionary"):
            if rival in depths[1]:
                ratios[f"{rival}_{size}_depths_2_to_5"] = _ratio(depths, rival, DEPTHS[1:])
                ratios[f"{rival}_{size}_depths_1_to_5"] = _ratio(depths, rival, DEPTHS)
    bars(
        "masks",
        f"Allowed tokens of {BEAMS} beams, by depth",
        "milliseconds",
        {
            f"{size:,} identifiers": {
                system: {f"depth {d}": 1000 * depths[d][system] for d in DEPTHS}
                for system in depths[1]
            }
            for size, depths in measured.items()
        },
        arguments.out,
    )
    record("masks", ratios, {"beams": BEAMS, "seconds": measured}, arguments.out)


def measure(size: int, rounds: int) -> dict[int, dict[str, float]]:
    """Median seconds by depth and system."""
    spelling = invented_spelling(CLUSTERS, WORDS)
    identifiers = draw_identifiers(size, CLUSTERS, WORDS)
    walk = walk_over(identifiers, spelling)
    tokens, lengths = spell(identifiers, spelling)
    starts = np.cumsum(lengths) - lengths
    chosen = np.random.default_rng(1).choice(size, BEAMS, replace=False)
    beams = [tokens[starts[row] : starts[row] + lengths[row]].tolist() for row in chosen]
    trie = _marisa(tokens, starts, lengths)
    tree = _tree(tokens, starts, lengths) if size <= _MOST_FOR_DICTIONARIES else None
    del tokens
    tensors = WalkTensors.of(walk, torch.device("cpu"))
    return {depth: _at_depth(depth, beams, walk, tensors, trie, tree, rounds) for depth in DEPTHS}


def _at_depth(
    depth: int,
    beams: list[list[int]],
    walk: Walk,
    tensors: WalkTensors,
    trie: marisa_trie.Trie,
    tree: Tree | None,
    rounds: int,
) -> dict[str, float]:
    # At the root there is only one beam.
    prefixes = [beam[: depth - 1] for beam in beams[: 1 if depth == 1 else BEAMS]]
    keys = ["".join(map(_character, prefix)) for prefix in prefixes]
    positions = torch.tensor([_position(walk, prefix) for prefix in prefixes])
    systems: dict[str, Any] = {
        "walk": lambda: allowed_pairs(tensors, positions),
        "marisa": lambda: [_next_in(trie, key) for key in keys],
    }
    if tree is not None:
        systems["dictionary"] = lambda: [list(_subtree(tree, prefix)) for prefix in prefixes]
    pairs = allowed_pairs(tensors, positions)
    for row, key in enumerate(keys):
        mine = {_character(token) for token in pairs.tokens[pairs.rows == row].tolist()}
        assert mine == _next_in(trie, key), "the walk and marisa disagree"
    return medians(interleaved(systems, rounds))


def _position(walk: Walk, prefix: list[int]) -> int:
    spelled = walk.follow(prefix)
    assert spelled is not None
    return spelled[0]


def _next_in(trie: marisa_trie.Trie, prefix: str) -> set[str]:
    place = len(prefix)
    return {key[place] for key in trie.iterkeys(prefix)}


def _character(token: int) -> str:
    """Characters without the surrogates, which cannot be encoded."""
    return chr(token + 0x10000)


def _marisa(
    tokens: NDArray[np.int32], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> marisa_trie.Trie:
    characters = (tokens + 0x10000).astype("<u4").tobytes().decode("utf-32-le")
    ends = (starts + lengths).tolist()
    return marisa_trie.Trie(characters[a:b] for a, b in zip(starts.tolist(), ends, strict=True))


def _tree(tokens: NDArray[np.int32], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Tree:
    root: Tree = {}
    listed = tokens.tolist()
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        node = root
        for token in listed[start : start + length]:
            node = node.setdefault(token, {})
    return root


def _subtree(tree: Tree, prefix: list[int]) -> Tree:
    for token in prefix:
        tree = tree[token]
    return tree


def _ratio(depths: dict[int, dict[str, float]], rival: str, chosen: range) -> float:
    return sum(depths[d][rival] for d in chosen) / sum(depths[d]["walk"] for d in chosen)


if __name__ == "__main__":
    main()
