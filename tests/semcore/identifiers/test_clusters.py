"""An item is of the nearest cluster, by what a bundle carries."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from semcore.bundle.bundle import CLUSTER_FILES
from semcore.errors import BundleError
from semcore.identifiers import clusters as subject
from semcore.identifiers.clusters import Clusters, assign_clusters, read_cluster_words

WORDS = [["boat", "sea"], [], ["tree", "été"]]


def clusters() -> Clusters:
    centroids = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    return Clusters(centroids, WORDS, {"boat": 3, "été": 1})


def test_assigns_the_nearest_centroid() -> None:
    rng = np.random.default_rng(1)
    # Of different lengths, so that the nearest is not the most alike.
    centroids = (rng.standard_normal((7, 5)) * rng.uniform(0.2, 3, (7, 1))).astype(np.float32)
    vectors = rng.standard_normal((200, 5)).astype(np.float32)
    distances = np.linalg.norm(vectors[:, None] - centroids[None], axis=2)
    found = assign_clusters(vectors, centroids)
    assert (found.dtype, found.tolist()) == (np.int64, distances.argmin(axis=1).tolist())
    assert found.tolist() != (vectors @ centroids.T).argmax(axis=1).tolist()
    assert Clusters(centroids, [], {}).assign(vectors).tolist() == found.tolist()
    assert assign_clusters(vectors[:0], centroids).shape == (0,)


@pytest.mark.parametrize("distances", [1, 30, 4000])
def test_assigns_in_parts_what_one_matrix_says(
    monkeypatch: pytest.MonkeyPatch, distances: int
) -> None:
    """Whole numbers, some of which are equally near to several: then it is the first."""
    monkeypatch.setattr(subject, "_DISTANCES", distances)
    rng = np.random.default_rng(2)
    centroids = rng.integers(-2, 3, (9, 3)).astype(np.float32)
    vectors = rng.integers(-3, 4, (500, 3)).astype(np.float32)
    whole = (centroids**2).sum(axis=1)[None, :] - 2.0 * vectors @ centroids.T
    assert ((whole == whole.min(axis=1, keepdims=True)).sum(axis=1) > 1).any()
    found = assign_clusters(vectors, centroids)
    assert (found.dtype, found.tolist()) == (np.int64, whole.argmin(axis=1).tolist())


def test_assigns_without_a_matrix_of_all_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_DISTANCES", 1 << 16)
    vectors, centroids = np.ones((20_000, 2), np.float32), np.ones((200, 2), np.float32)
    tracemalloc.start()
    assign_clusters(vectors, centroids)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000 * 200 * 4 / 10


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    saved = clusters()
    saved.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(CLUSTER_FILES)
    loaded = Clusters.load(tmp_path)
    assert loaded.centroids.dtype == np.float32
    assert np.array_equal(loaded.centroids, saved.centroids)
    assert (loaded.words, loaded.frequencies) == (saved.words, saved.frequencies)
    assert read_cluster_words(tmp_path) == WORDS


@pytest.mark.parametrize("content", [None, b"", b"{"])
@pytest.mark.parametrize("name", CLUSTER_FILES)
def test_names_the_folder_whose_clusters_cannot_be_read(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    clusters().save(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"the clusters of {tmp_path} cannot be read"):
        Clusters.load(tmp_path)


def test_identifiers_without_clusters_have_no_words(tmp_path: Path) -> None:
    assert read_cluster_words(tmp_path) == []
