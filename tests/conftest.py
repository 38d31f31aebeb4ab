"""A small corpus, its bundle and a model trained for a moment; all real, shared by the tests."""

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
import redis
from living import metadata
from moment import MOMENT, SERVICE
from redis_process import redis_server

from cli.service_process import free_port, serving
from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from offline.corpus.reader import read_corpus
from offline.demo.demo_corpus import write_demo_corpus
from offline.training.stages import train_model

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# The same examples each time, however long they take.
hypothesis.settings.load_profile("ci")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    write_demo_corpus(folder, pictures=120)
    return read_corpus(folder)


@pytest.fixture(scope="session")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``model`` and ``bundle``, which has no guide and shows all splits."""
    folder = tmp_path_factory.mktemp("trained")
    with_guide = folder / "guided"
    build_bundle(corpus, with_guide, BuildSettings(clusters=8))
    train_model(with_guide, "tiny", folder / "model", MOMENT, report=lambda _: None)
    bind_bundle(with_guide, folder / "model")
    build_bundle(corpus, folder / "bundle", BuildSettings(clusters=8), guide=None)
    bind_bundle(folder / "bundle", folder / "model")
    return folder


@pytest.fixture(scope="session")
def guided(trained: Path) -> Path:
    """The same bundle with a guide, whose vectors have the looks of pictures, too."""
    return trained / "guided"


@pytest.fixture(scope="session")
def untrained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that has no model yet."""
    path = tmp_path_factory.mktemp("untrained") / "bundle"
    build_bundle(corpus, path, BuildSettings(clusters=8))
    return path


@pytest.fixture(scope="session")
def smaller(trained: Path, corpus: Corpus) -> Path:
    """Another bundle for the same model: of the training split only."""
    path = trained / "smaller"
    build_bundle(corpus, path, BuildSettings(gallery=("train",)), like=trained / "bundle")
    bind_bundle(path, trained / "model")
    return path


@pytest.fixture(scope="session")
def few(trained: Path, corpus: Corpus) -> Path:
    """A bundle of a few items with metadata, for the trained model."""
    pictures = [
        replace(picture, captions=picture.captions[:2], metadata=metadata(random.Random(number)))
        for number, picture in enumerate(corpus.pictures[:12])
    ]
    some = Corpus("few", corpus.image_root, pictures, [])
    path = trained / "few"
    build_bundle(some, path, BuildSettings(), like=trained / "bundle")
    bind_bundle(path, trained / "model")
    return path


@pytest.fixture(scope="session")
def service_url(trained: Path) -> Iterator[str]:
    """The real service with vLLM, in a process of its own, whose beams are those of others."""
    own = {
        **SERVICE,
        "SEMCORE_JOURNAL": str(trained / "journal of the service"),
        "SEMCORE_LEAF_LIMIT": "0",
    }
    with serving(trained / "bundle", environment=own) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis server on a free port of loopback."""
    port = free_port()
    with redis_server(port):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def empty_redis(redis_url: str) -> None:
    """Nothing is left in Redis by the tests before."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
