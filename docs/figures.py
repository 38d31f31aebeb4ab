"""The figures of how-it-works.md: ``python -m docs.figures`` writes docs/images/how-*.png.

All that they show is real: the demo's pictures and identifiers, its walk, and beams of its model.
"""

from __future__ import annotations

import itertools
import textwrap
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from cli.demo import demo_bundle
from docs.subject import Spelled, Subject, search
from semcore.bundle.bundle import read_manifest
from semcore.bundle.item import Item
from semcore.identifiers.encoder import mean_vectors
from semcore.identifiers.identifier import Identifier, global_token
from semcore.identifiers.keywords import word_vectorizer
from semcore.trie.walk import ROOT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGES = Path(__file__).parent / "images"
_PICTURE = "0001001"
_QUERY = "At sunset, two small suns with three orange boats."
_BEAMS = 4
_LOST = 3  # beams given up with each token that are drawn, the likeliest ones
_DOTS = 1500
_INK, _GREY, _PALE, _BLUE, _ORANGE = "#1c2733", "#868e96", "#ced4da", "#1864ab", "#d9480f"


def draw_identifier(subject: Subject, item: Item) -> Figure:
    """From a picture and its captions to its identifier."""
    identifier = Identifier.parse(item.identifier)
    assert identifier.global_id is not None
    cluster, keywords = global_token(identifier.global_id), identifier.lexical_id
    said = subject.clusters.words[identifier.global_id]
    sources = subject.sources(item)
    words = [str(word) for word in word_vectorizer(sources).get_feature_names_out()]
    vector = mean_vectors(subject.encoder.encode(sources), [len(sources)])[0]
    likeness = dict(zip(words, (subject.encoder.encode(words) @ vector).tolist(), strict=True))
    left = sorted((word for word in words if word not in said), key=lambda word: -likeness[word])
    with _canvas(9.6, 3.6) as (figure, axis):
        _show(axis, subject.picture(item), 0.2, 0.25, 1.6)
        axis.text(0.2, 2.0, _folded(sources, 30), va="top", fontsize=10.5, linespacing=1.25)
        axis.text(2.75, 0.3, "nearest cluster", weight="bold")
        axis.text(2.75, 0.7, f"{cluster}, which says", color=_BLUE)
        for place, word in enumerate(said):
            axis.text(2.75, 1.05 + 0.3 * place, word, color=_BLUE)
        axis.text(4.7, 0.3, "other words", weight="bold")
        for place, word in enumerate(left):
            y, colour = 0.7 + 0.3 * place, _ORANGE if word in keywords else _GREY
            axis.text(5.45, y, word, color=colour, ha="right")
            axis.barh(y - 0.05, likeness[word], 0.16, 5.55, color=colour)
            axis.text(5.65 + likeness[word], y, f"{likeness[word]:.2f}", color=_GREY, fontsize=10)
        axis.text(7.2, 0.3, "four, rarest first", weight="bold")
        for place, word in enumerate(keywords):
            count = subject.clusters.frequencies.get(word, 0)
            axis.text(7.2, 0.7 + 0.3 * place, word, color=_ORANGE)
            axis.text(9.4, 0.7 + 0.3 * place, f"in {count}", color=_GREY, ha="right", fontsize=10.5)
        axis.text(7.2, 2.4, "identifier", weight="bold")
        axis.text(7.2, 2.8, cluster, color=_BLUE, fontsize=15)
        axis.text(7.2, 3.15, " ".join(keywords), color=_ORANGE, fontsize=15)
    return figure


def draw_clusters(subject: Subject) -> Figure:
    """Pictures where their captions lie, each cluster with its first two words."""
    splits = dict.fromkeys(("train", *read_manifest(subject.bundle).settings.gallery))
    items = [item for split in splits for item in subject.store.of_split(split, "image")][:_DOTS]
    captions = [subject.sources(item) for item in items]
    encoded = subject.encoder.encode([caption for each in captions for caption in each])
    vectors = mean_vectors(encoded, [len(each) for each in captions])
    nearest = subject.clusters.assign(vectors)
    places = TSNE(perplexity=min(30, len(items) // 4), random_state=0).fit_transform(vectors)
    size = np.array([8.4, 5.6])
    places = 0.04 * size + 0.92 * size * (places - places.min(axis=0)) / np.ptp(places, axis=0)
    neighbours = NearestNeighbors(n_neighbors=12).fit(places).kneighbors(return_distance=False)
    among_own = (nearest[neighbours] == nearest[:, None]).mean(axis=1)
    with _canvas(*size) as (figure, axis):
        axis.scatter(places[:, 0], places[:, 1], c=nearest, cmap="tab20", s=14, linewidths=0)
        labels: list[tuple[float, float]] = []
        for cluster in np.argsort(-np.bincount(nearest)).tolist():
            # Where a cluster is among itself, and no other label is near.
            far = [[abs(y - b) > 0.27 or abs(x - a) > 2.0 for a, b in labels] for x, y in places]
            free = np.array([all(each) for each in far])
            best = int(np.argmax(among_own * free * (nearest == cluster)))
            labels.append(places[best])
            x = np.clip(places[best][0], 1.25, size[0] - 1.25)
            told = f"{global_token(cluster)} {' '.join(subject.clusters.words[cluster][:2])}"
            box = {"boxstyle": "round", "facecolor": "white", "alpha": 0.85, "linewidth": 0}
            axis.text(x, places[best][1], told, ha="center", va="center", fontsize=10.5, bbox=box)
    return figure


def draw_trie(subject: Subject, cluster: int) -> Figure:
    """All identifiers of one cluster, as the walk holds them."""
    (walk,) = [layer.walk for layer in subject.layers]
    place = walk.step(ROOT, subject.model[1].convert_tokens_to_ids(global_token(cluster)))
    assert place is not None
    box = {"boxstyle": "round", "facecolor": "white", "linewidth": 0}
    with _canvas(8.8, 5.2) as (figure, axis):
        lines = (0.3 + 0.285 * number for number in itertools.count())

        def draw(position: int, leaf: int, x: float) -> float:
            """Draw what follows a place in the walk, and tell how far down that is."""
            if leaf >= 0:
                y, tail = next(lines), []
                while (token := int(walk.allowed(position)[0])) != walk.end:
                    tail.append(subject.read(token))
                    position += 1
                axis.text(x, y, " ".join(tail), va="center", color=_GREY, bbox=box)
                pictures = len(walk.items_of(leaf))
                told = f"{pictures} picture{'s' * (pictures > 1)}"
                axis.text(7.7, y, told, va="center", color=_GREY if pictures == 1 else _INK)
                return y
            words, ends = [], []
            for token in walk.allowed(position).tolist():
                step = walk.step(position, token)
                assert step is not None
                words.append(subject.read(token))
                ends.append(draw(*step, x + 1.6))
            middle = sum(ends) / len(ends)
            for word, end in zip(words, ends, strict=True):
                axis.plot([x, x + 0.4, x + 1.6], [middle, end, end], color=_PALE, zorder=1)
                axis.text(x + 0.45, end, word, va="center", color=_ORANGE, bbox=box)
            axis.scatter([x], [middle], color=_BLUE, s=40, zorder=2)
            return middle

        top = draw(*place, 1.8)
        axis.plot([0.2, 1.8], [top, top], color=_PALE, zorder=1)
        axis.scatter([0.2], [top], color=_BLUE, s=40, zorder=2)
        axis.text(0.8, top, global_token(cluster), va="center", color=_BLUE, bbox=box)
    return figure


def draw_beams(subject: Subject, query: str) -> Figure:
    """The beams of a search token by token, and those that were given up."""
    trail = search(subject, query, _BEAMS)
    with _canvas(9.6, 4.4) as (figure, axis):
        axis.text(0.2, 0.35, query, weight="bold")
        axis.text(0.55, 2.85, "given up", color=_GREY, fontsize=10)
        axis.text(8.2, 0.6, "end", color=_GREY, fontsize=10)
        heights: dict[Spelled, float] = {(): 1.65}
        for depth, (step, kept) in enumerate(zip(trail.steps, trail.kept, strict=True)):
            if not kept:
                break
            x = 0.5 + 1.5 * depth
            ranked = sorted(step, key=lambda one: -step[one])
            lost = [spelled for spelled in ranked if spelled not in kept][:_LOST]
            for place, spelled in enumerate([*(one for one in ranked if one in kept), *lost]):
                gone = spelled not in kept
                y = heights[spelled] = 0.9 + 0.5 * place + 0.25 * gone
                before = heights[spelled[:-1]]
                axis.plot([x - 0.35, x], [before, y], ":" if gone else "-", color=_PALE)
                colour = _GREY if gone else _BLUE if not depth else _ORANGE
                axis.text(x + 0.05, y, subject.read(spelled[-1]), color=colour, va="center")
                told = _nats(step[spelled])
                axis.text(x + 1.1, y, told, color=_GREY, ha="right", va="center", size=10)
        for place, beam in enumerate(trail.beams):
            (item, *_) = subject.store.of_numbers(subject.layers.items_of(beam.leaves))
            _show(axis, subject.picture(item), 8.2, 0.7 + 0.5 * place, 0.45)
            axis.text(8.8, 0.9 + 0.5 * place, _nats(beam.logprob), va="center")
    return figure


def _show(axis: Axes, picture: Image.Image, x: float, y: float, side: float) -> None:
    axis.imshow(picture, extent=(x, x + side, y + side, y), aspect="auto")


def _nats(logprob: float) -> str:
    return f"{logprob:.1f}".replace("-", "−")


def _folded(captions: Sequence[str], width: int) -> str:
    return "\n\n".join(textwrap.fill(caption, width) for caption in captions)


@contextmanager
def _canvas(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure whose axis counts inches from the upper left corner."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    with mpl.rc_context({"text.color": _INK, "font.size": 12}):
        figure = plt.figure(figsize=(width, height), dpi=130)
        axis = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0), autoscale_on=False)
        axis.axis("off")
        yield figure, axis
        plt.close(figure)


def main(bundle: Path) -> None:
    subject = Subject(bundle)
    item = subject.store.get(_PICTURE)
    assert item is not None
    cluster = Identifier.parse(item.identifier).global_id
    assert cluster is not None
    IMAGES.mkdir(exist_ok=True)
    draw_identifier(subject, item).savefig(IMAGES / "how-identifier.png")
    draw_clusters(subject).savefig(IMAGES / "how-clusters.png")
    draw_trie(subject, cluster).savefig(IMAGES / "how-trie.png")
    draw_beams(subject, _QUERY).savefig(IMAGES / "how-beams.png")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="in place of the demo's")
    main(parser.parse_args().bundle or demo_bundle())
