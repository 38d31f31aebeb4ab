"""Schemes of identifiers: structured ones, what is left of them in ablations, and their rivals.

The rivals are those that the paper compares with. All schemes get the same vectors, of captions,
so that what differs is the identifier alone; ``irgen``, ``avg`` and ``rq-pictures``, which once
stood for both, see the pictures themselves. Clusters are of pictures and texts together, so that a
token means the same of both, as a Global ID does.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from offline.identifiers.picture_codes import aligned_codes, classified_codes
from offline.identifiers.quantization import residual_codes, tree_codes, unique_suffixes
from offline.image_inputs import see_pictures
from semcore.identifiers.encoder import Vectors
from semcore.identifiers.identifier import Identifier
from semcore.pictures.picture_source import PictureSource

SID = "sid"
_TREE_BRANCHES = 10
_TREE_LEAF = 10
_RQ_LEVELS, _RQ_SIZE = 3, 32
_STRING_LENGTH = 4
_CAPTION_WORDS = 12
_NOTHING = ("nothing",)  # of what has no word of use


@dataclass(frozen=True)
class Whole:
    """All items, of both kinds, and their codes, which are made once and where a scheme wants them.

    Attributes:
        vectors: float32 [all, dimension], unit length.
        learned: bool [all], items of the training split.
        seed: of what is random.
    """

    vectors: Vectors
    learned: NDArray[np.bool_]
    seed: int

    @cached_property
    def paths(self) -> list[tuple[int, ...]]:
        return tree_codes(self.vectors, _TREE_BRANCHES, _TREE_LEAF, self.seed)

    @cached_property
    def residual(self) -> NDArray[np.int64]:
        return residual_codes(self.vectors, self.learned, _RQ_LEVELS, _RQ_SIZE, self.seed)


@dataclass(frozen=True, slots=True)
class Material:
    """What identifiers are made of, of one kind of item; all in the same order.

    Attributes:
        captions: the sources of each item as one text.
        whole: all items.
        rows: int64 [items], their places among these.
        clusters: int64 [items].
        pictures: where each item's picture lies; None for a text.
        keywords: keywords of each item, with the words of its cluster left out or (False) not.
    """

    captions: Sequence[str]
    whole: Whole
    rows: NDArray[np.int64]
    clusters: NDArray[np.int64]
    pictures: Sequence[PictureSource | None]
    keywords: Callable[[bool], Sequence[tuple[str, ...]]]

    @property
    def seed(self) -> int:
        """Of what is random."""
        return self.whole.seed


@dataclass(frozen=True, slots=True)
class Scheme:
    """Attributes:
    title: as it stands in tables.
    identify: gives each item its identifier.
    """

    name: str
    title: str
    identify: Callable[[Material], list[Identifier]]


def _sid(material: Material) -> list[Identifier]:
    """Paper 3.2: cluster, then keywords without what the cluster says."""
    return _with_clusters(material, material.keywords(True))


def _sid_not_deduplicated(material: Material) -> list[Identifier]:
    return _with_clusters(material, material.keywords(False))


def _sid_without_cluster(material: Material) -> list[Identifier]:
    return [Identifier(None, words or _NOTHING) for words in material.keywords(False)]


def _sid_with_suffix(material: Material) -> list[Identifier]:
    """Where several items share an identifier, a random number at its end tells them apart."""
    identifiers = _sid(material)
    suffixes = unique_suffixes(identifiers, material.seed)
    return [
        identifier
        if suffix is None
        else Identifier(identifier.global_id, (*identifier.lexical_id, *str(suffix)))
        for identifier, suffix in zip(identifiers, suffixes, strict=True)
    ]


def _numeric(material: Material) -> list[Identifier]:
    """GRACE's numeric identifiers: a number of its own for each item, digit by digit."""
    count = len(material.captions)
    width = len(str(count - 1))
    numbers = np.random.default_rng(material.seed).permutation(count)
    return [Identifier(None, tuple(f"{number:0{width}d}")) for number in numbers]


def _string(material: Material) -> list[Identifier]:
    """GRACE's string identifiers: arbitrary letters and digits."""
    rng = random.Random(material.seed)
    alphabet = string.ascii_lowercase + string.digits
    taken: dict[tuple[str, ...], None] = {}  # in order, which a set's changes with the process
    while len(taken) < len(material.captions):
        taken[tuple(rng.choices(alphabet, k=_STRING_LENGTH))] = None
    return [Identifier(None, letters) for letters in taken]


def _semantic(material: Material) -> list[Identifier]:
    """GRACE's semantic identifiers: the caption itself, and a number where it is not unique."""
    captions = [
        tuple(re.sub("[<>]", "", caption.lower()).split()[:_CAPTION_WORDS]) or _NOTHING
        for caption in material.captions
    ]
    suffixes = unique_suffixes(captions, material.seed)
    return [
        Identifier(None, words if suffix is None else (*words, *str(suffix)))
        for words, suffix in zip(captions, suffixes, strict=True)
    ]


def _structured(material: Material) -> list[Identifier]:
    """GRACE's structured identifiers: the path in a tree of clusters, tokens of their own."""
    return [Identifier(None, tuple(f"<t{step}>" for step in path)) for path in _paths(material)]


def _dsi(material: Material) -> list[Identifier]:
    """DSI's semantic identifiers: the path as a number, digit by digit."""
    return [Identifier(None, tuple(str(step) for step in path)) for path in _paths(material)]


def _nci(material: Material) -> list[Identifier]:
    """NCI's: a token means another cluster at each level; the last one is random."""
    return [
        Identifier(None, tuple(f"<n{level}_{step}>" for level, step in enumerate(path)))
        for path in _paths(material)
    ]


def _paths(material: Material) -> list[tuple[int, ...]]:
    return [material.whole.paths[row] for row in material.rows]


def _rq(material: Material) -> list[Identifier]:
    """Residual codes of the vectors of captions."""
    return _spelled(material.whole.residual[material.rows], "c", material.seed)


def _rq_pictures(material: Material) -> list[Identifier]:
    """Residual codes of what a frozen encoder sees, as it is."""
    levels, size, seed = _RQ_LEVELS, _RQ_SIZE, material.seed
    return _of_pictures(
        material, lambda seen, learned: residual_codes(seen, learned, levels, size, seed)
    )


def _irgen(material: Material) -> list[Identifier]:
    """IRGen's: codes of pictures, learned with a semantic loss (Zhang et al., 2024).

    Its corpora have classes. Ours have none; the class of a picture is its cluster of captions, the
    Global ID.
    """
    levels, size, seed = _RQ_LEVELS, _RQ_SIZE, material.seed
    return _of_pictures(
        material,
        lambda seen, learned: classified_codes(
            seen, material.clusters, learned, levels, size, seed
        ),
    )


def _avg(material: Material) -> list[Identifier]:
    """AVG's: codes of pictures, learned to lie near their captions (Li et al., 2024)."""
    levels, size, seed = _RQ_LEVELS, _RQ_SIZE, material.seed
    captions = material.whole.vectors[material.rows]
    return _of_pictures(
        material,
        lambda seen, learned: aligned_codes(seen, captions, learned, levels, size, seed),
    )


def _of_pictures(
    material: Material, code: Callable[[Vectors, NDArray[np.bool_]], NDArray[np.int64]]
) -> list[Identifier]:
    """``code`` gives codes of what is seen of pictures, float32 [pictures, channels] at unit
    length. Texts have residual codes of their vectors, with tokens of their own."""
    learned = material.whole.learned[material.rows]
    shown = [source for source in material.pictures if source is not None]
    if len(shown) < len(material.pictures):
        own = Whole(material.whole.vectors[material.rows], learned, material.seed)
        return _spelled(own.residual, "x", material.seed)
    seen = np.concatenate([features.mean(dim=1).numpy() for features in see_pictures(shown)])
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    return _spelled(code(seen, learned), "c", material.seed)


def _spelled(codes: NDArray[np.int64], letter: str, seed: int) -> list[Identifier]:
    """``codes``: int64 [items, levels]; ``letter``: of their tokens."""
    spelled = [
        tuple(f"<{letter}{level}_{code}>" for level, code in enumerate(row))
        for row in codes.tolist()
    ]
    suffixes = unique_suffixes(spelled, seed)
    return [
        Identifier(None, code if suffix is None else (*code, *str(suffix)))
        for code, suffix in zip(spelled, suffixes, strict=True)
    ]


def _with_clusters(material: Material, keywords: Sequence[tuple[str, ...]]) -> list[Identifier]:
    return [
        Identifier(int(cluster), words)
        for cluster, words in zip(material.clusters, keywords, strict=True)
    ]


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme(SID, "SemCORE", _sid),
        Scheme("sid-without-deduplication", "without deduplication", _sid_not_deduplicated),
        Scheme("sid-without-cluster", "without Global ID", _sid_without_cluster),
        Scheme("sid-with-suffix", "random suffixes", _sid_with_suffix),
        Scheme("numeric", "GRACE numeric", _numeric),
        Scheme("string", "GRACE string", _string),
        Scheme("semantic", "GRACE semantic", _semantic),
        Scheme("structured", "GRACE structured", _structured),
        Scheme("dsi", "DSI", _dsi),
        Scheme("nci", "NCI", _nci),
        Scheme("rq", "RQ codes of captions", _rq),
        Scheme("rq-pictures", "RQ codes of pictures", _rq_pictures),
        Scheme("irgen", "IRGen", _irgen),
        Scheme("avg", "AVG", _avg),
    )
}
