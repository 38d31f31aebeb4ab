"""How well searches by the guide tell that nothing fits.

The probability that an item is right is fitted on validation queries, as 'semcore calibrate' fits
it, and min_score is set so that it refuses 5 % of these. Then it is measured on test queries, among
the items that can be found: the share of them that is refused; the share of 200 sentences about
other matters (far_sentences.txt); and, with all pictures of eight objects taken out, the area under
the curve by which the best probability tells queries about these from the others.
"""

from __future__ import annotations

import random
import re
from argparse import SUPPRESS
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Before transformers is imported.
from offline.evaluation.probability import fit_probability, guide_cases  # isort: skip

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.measure import argument_parser, record
from offline.evaluation.query_runner import Questions
from semcore.bundle.bundle import ITEMS, read_manifest
from semcore.bundle.item import Item, ItemStore
from semcore.bundle.probability import Probability, Values
from semcore.errors import BundleError
from semcore.guide.guide import Guide, open_guide
from semcore.guide.vectors import VectorTable, unit
from semcore.identifiers.encoder import Vectors
from semcore.model.prompt import excerpt, normalise_query

FAR = Path(__file__).with_name("far_sentences.txt")
OBJECTS = {
    "demo": (
        "boat|ship", "car|automobile", "cat|kitten", "bird|sparrow", "umbrella|parasol", "kite",
        "clock", "cup|mug",
    ),
    "photographs": (
        "dog|puppy", "ball", "bicycle|bike", "horse", "guitar", "camera", "skateboard", "boat",
    ),
}  # fmt: skip
"""Of each corpus the eight that are taken out, with the words for each."""
_REFUSED = 0.05
_SHOWN = 50  # candidates of a query
_THRESHOLDS = (0.05, 0.1, 0.2, 0.5)


def main() -> None:
    parser = argument_parser(__doc__)
    for name in OBJECTS:
        parser.add_argument(f"--{name}", type=Path, help="its bundle")
    parser.add_argument("--queries", type=int, default=600, help="most test queries of a bundle")
    parser.add_argument("--validation", type=int, default=300, help=SUPPRESS)
    arguments = parser.parse_args()
    measured: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for name, objects in OBJECTS.items():
        bundle: Path | None = getattr(arguments, name)
        if bundle is not None:
            found = measure(bundle, objects, arguments.queries, arguments.validation)
            measured[name] = found
            told = ("far_refused", "false_refusals", "near_auc")
            ratios |= {f"{one}_{name}": found[one] for one in told}
    record("refusal", ratios, measured, arguments.out)


def measure(
    bundle: Path, objects: Sequence[str], queries: int, validation: int
) -> Mapping[str, Any]:
    """What a bundle's guide can refuse.

    Args:
        objects: each as the words for it, between bars.
        queries, validation: most test queries and validation queries.
    """
    cases = guide_cases(bundle, Questions("text-to-image", "val", validation))
    probability = fit_probability(cases)
    if probability is None:
        raise BundleError(f"{bundle} has too few validation queries")
    least = float(np.quantile([probability.of(case.values).max() for case in cases], _REFUSED))
    gallery = _Gallery(bundle)
    asked = random.Random(0).sample(gallery.texts, min(queries, len(gallery.texts)))
    vectors = gallery.encoded([item.caption for item in asked])
    far_vectors = gallery.encoded(FAR.read_text().splitlines())
    every = np.ones(len(gallery.pictures), dtype=bool)
    best, first_right = gallery.best(vectors, every, probability, asked)
    far, _ = gallery.best(far_vectors, every, probability)
    shown = _mentions(gallery.pictures, gallery.captions, objects)
    left = np.array([not shown[item.pair] for item in gallery.pictures])
    near, _ = gallery.best(vectors, left, probability)
    about = np.array([bool(_pattern(objects).search(item.caption)) for item in asked])
    out = np.array([shown[item.pair] for item in asked])
    kept, gone = near[~out], near[out & about]
    return {
        "probability": {
            "intercept": probability.intercept, "value": probability.value,
            "lead": probability.lead,
        },
        "min_score": least,
        "queries": {"validation": len(cases), "test": len(asked), "far": len(far)},
        "pictures": len(gallery.pictures),
        "false_refusals": float((best < least).mean()),
        "far_refused": float((far < least).mean()),
        "far_auc": _auc(best, far),
        "far_best_cosine_median": float(np.median((far_vectors @ gallery.vectors.T).max(axis=1))),
        "best_cosine_median": float(np.median((vectors @ gallery.vectors.T).max(axis=1))),
        "first_items": {"said": float(best.mean()), "right": float(first_right.mean())},
        "by_min_score": {
            str(one): {
                "false_refusals": float((best < one).mean()),
                "far_refused": float((far < one).mean()),
            }
            for one in _THRESHOLDS
        },
        "near": {
            "objects": list(objects), "pictures_taken_out": int((~left).sum()),
            "queries": len(gone), "others": len(kept),
            "refused": float((gone < least).mean()), "others_refused": float((kept < least).mean()),
        },
        "near_auc": _auc(kept, gone),
    }  # fmt: skip


class _Gallery:
    """The pictures that can be found, and the queries of the test split.

    Attributes:
        texts: held-out captions.
        captions: of each pair all of them.
        vectors: of the pictures, float32 [pictures, dimension].
    """

    def __init__(self, bundle: Path) -> None:
        manifest = read_manifest(bundle)
        assert manifest.guide is not None
        model = None if manifest.model is None else manifest.model.folder(bundle)
        self._guide: Guide = open_guide(
            manifest.guide.encoder, model, manifest.guide.picture_weight
        )
        store = ItemStore(bundle / ITEMS, manifest.settings.gallery)
        found = [
            one for split in manifest.settings.gallery for one in store.numbered(split, "image")
        ]
        texts = [
            one for split in manifest.settings.gallery for one in store.of_split(split, "text")
        ]
        store.close()
        self.pictures = [item for _, item in found]
        self.vectors = unit(VectorTable(bundle).rows[[number for number, _ in found]])
        self.texts = [item for item in texts if item.held_out and item.split == "test"]
        self.captions: dict[str, list[str]] = {}
        for item in texts:
            self.captions.setdefault(item.pair, []).append(item.caption)

    def encoded(self, texts: Sequence[str]) -> Vectors:
        return self._guide.encode_texts([normalise_query(excerpt(text)) for text in texts])

    def best(
        self,
        asked: Vectors,
        among: NDArray[np.bool_],
        probability: Probability,
        queries: Sequence[Item] = (),
    ) -> tuple[Values, NDArray[np.bool_]]:
        """Of each query the highest probability of a picture, and whether that picture is right,
        where the queries are known."""
        pictures = [item for item, kept in zip(self.pictures, among, strict=True) if kept]
        cosines = asked @ self.vectors[among].T
        highest = -np.sort(-cosines, axis=1)[:, :_SHOWN]
        told = np.array([probability.of(row).max() for row in highest])
        right = [
            pictures[place].pair == query.pair
            for place, query in zip(cosines.argmax(axis=1), queries, strict=False)
        ]
        return told, np.array(right, dtype=bool)


def _pattern(objects: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(objects)})(?:s|es)?\b", re.IGNORECASE)


def _mentions(
    pictures: Sequence[Item], captions: Mapping[str, Sequence[str]], objects: Sequence[str]
) -> dict[str, bool]:
    """Of each pair whether a caption names one of the objects."""
    pattern = _pattern(objects)
    return {
        item.pair: any(
            pattern.search(text) for text in (item.caption, *captions.get(item.pair, ()))
        )
        for item in pictures
    }


def _auc(above: Values, below: Values) -> float:
    """How often one of the first is above one of the second."""
    labels = np.r_[np.ones(len(above)), np.zeros(len(below))]
    return float(roc_auc_score(labels, np.r_[above, below]))


if __name__ == "__main__":
    main()
