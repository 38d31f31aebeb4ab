"""Indexes that documents are compared by."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.index.index import Index


@pytest.fixture
def index(trained: Path) -> Iterator[Index]:
    """With a model, without a guide."""
    yield from _opened(trained / "bundle")


@pytest.fixture
def sees(guided: Path) -> Iterator[Index]:
    """With a model, and a guide that sees pictures."""
    yield from _opened(guided)


@pytest.fixture
def reads(untrained: Path) -> Iterator[Index]:
    """Without a model, and with a guide that reads texts only."""
    yield from _opened(untrained)


def _opened(path: Path) -> Iterator[Index]:
    index = Index(path)
    yield index
    index.close()
