"""The demo's model in the engine, compiled, for the benchmarks of searches."""

from __future__ import annotations

import itertools
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.synthetic import Spelling
from cli.demo import SERVICE, demo_bundle
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.tokens import IdentifierTokenizer, load_tokenizer
from service.engine.vllm_engine import VllmEngine
from service.index.index import Index
from service.settings import Settings

MAX_LOGPROBS = 200  # those of stock beam search with 100 beams


@dataclass
class DemoEngine:
    """An engine, the index that it serves, and captions of pictures it was not trained on."""

    engine: VllmEngine
    index: Index
    captions: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        texts = [item for item in self.index.bundle.store.of_split("test", "text") if item.held_out]
        # Numbered, so that no query begins as one before it did, and no cache has its beginning.
        self.captions = (
            f"{number} {item.caption}" for number, item in enumerate(itertools.cycle(texts))
        )

    async def stop(self) -> None:
        await self.engine.stop()
        self.index.close()


def start_demo(arguments: Namespace) -> DemoEngine:
    """As :func:`add_arguments` lets the user choose it."""
    os.environ.update(SERVICE)
    bundle = arguments.bundle or demo_bundle()
    return start_engine(Settings(bundle=bundle, enforce_eager=arguments.eager))


def add_arguments(parser: ArgumentParser) -> None:
    """Which model is served, and how."""
    parser.add_argument("--bundle", type=Path, help="another bundle than the demo's")
    parser.add_argument("--eager", action="store_true", help="do not compile: starts sooner")


def start_engine(settings: Settings) -> DemoEngine:
    """An engine with these settings, which also stock beam search can use."""
    index = Index(settings.bundle)
    assert index.bundle.model is not None
    engine = VllmEngine.start(index.bundle.model, settings, max_logprobs=MAX_LOGPROBS)
    return DemoEngine(engine, index)


def demo_spelling(demo: DemoEngine) -> Spelling:
    """Of the clusters and words of the demo's pictures."""
    identifiers = [
        Identifier.parse(text) for text, _ in demo.index.bundle.store.identifiers("image")
    ]
    assert demo.index.bundle.model is not None
    tokenizer = IdentifierTokenizer(load_tokenizer(demo.index.bundle.model))
    words = sorted({word for one in identifiers for word in one.lexical_id})
    clusters = sorted({one.global_id for one in identifiers if one.global_id is not None})
    of_clusters = [tokenizer.tokens(Identifier(cluster, ())) for cluster in clusters]
    of_words = [tokenizer.tokens(Identifier(clusters[0], (word,)))[1:-1] for word in words]
    return Spelling([tokens[0] for tokens in of_clusters], of_words, of_clusters[0][-1])


def processor_seconds() -> float:
    """Processor time so far, of this process and all that it has started."""
    return sum(sum(process.cpu_times()[:2]) for process in family(psutil.Process()))


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that it has started."""
    return [process, *process.children(recursive=True)]
