"""Indexes that documents are compared by."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from manifests import copied

from semcore.model.training_record import LearnedGsv
from service.index.index import Index


@pytest.fixture
def index(trained: Path) -> Iterator[Index]:
    """With a model, without a guide."""
    yield from _opened(trained / "bundle")


@pytest.fixture
def chooses(trained: Path, tmp_path: Path) -> Iterator[Index]:
    """With a model that is said to choose from lists, without a guide."""
    learned = LearnedGsv(form="listwise", told="captions")
    yield from _opened(copied(trained / "bundle", tmp_path / "lists", gsv=learned))


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
