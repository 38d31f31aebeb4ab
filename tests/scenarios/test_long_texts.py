"""However long a corpus's texts are, samples, queries and canaries are not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from offline.training.candidates import CandidateDataset, choose_queries
from offline.training.description import DescriptionDataset
from offline.training.pairs import IndexDataset, PairDataset
from offline.training.verification import VerificationDataset
from semcore.bundle.canary import choose_canary
from semcore.bundle.item import Item, ItemStore, write_items
from semcore.model.prompt import TOLD_CHARACTERS

LONG = {"words": "word " * 5000 + "boat", "one word": "x" * 100_000}
FRAME = 500  # characters of a prompt beside the text
ROOT = Path("pictures")


@pytest.fixture(params=LONG)
def items(request: pytest.FixtureRequest) -> list[Item]:
    text = LONG[request.param]
    return [
        Item("1", "image", "train", "1", False, text, "1.png", "<g0> boat"),
        *(
            Item(f"1#{n}", "text", "train", "1", n > 0, f"{n} {text}", "", f"<g0> boat {n}")
            for n in range(3)
        ),
    ]


@pytest.mark.parametrize(
    "dataset",
    [
        lambda items: PairDataset(items, ROOT, 1, 0, image_answers=2),
        lambda items: PairDataset(items, ROOT, 1, 0, paraphrase=lambda text, _: text),
        lambda items: IndexDataset(items, ROOT, 1),
        lambda items: VerificationDataset(items, ROOT, 0),
        lambda items: VerificationDataset(items, ROOT, 0, checked=False),
        lambda items: DescriptionDataset(items, ROOT),
        lambda items: CandidateDataset(
            choose_queries(items, 3, 0), [items] * len(choose_queries(items, 3, 0)), ROOT
        ),
    ],
    ids=["pairs", "paraphrased", "index", "verified", "unchecked", "described", "candidates"],
)
def test_samples_are_short(items: list[Item], dataset: Callable[[list[Item]], object]) -> None:
    samples = dataset(items)
    lengths = [
        len(text)
        for place in range(len(samples))  # type: ignore[arg-type]
        for sample in [samples[place]]  # type: ignore[index]
        for text in (sample.prompt, *sample.answers)
    ]
    assert max(lengths) <= TOLD_CHARACTERS + FRAME
    sizes = samples.sizes  # type: ignore[attr-defined]
    told = [size for part in (sizes if isinstance(sizes, tuple) else [sizes]) for size in part]
    assert max(told) <= 3 * TOLD_CHARACTERS


def test_canaries_are_short(items: list[Item], tmp_path: Path) -> None:
    write_items(tmp_path / "items.sqlite", items)
    store = ItemStore(tmp_path / "items.sqlite", ("train",))
    queries = choose_canary(store, ("train",), 0)
    store.close()
    assert len(queries) == 4
    assert all(len(query.query) <= TOLD_CHARACTERS for query in queries)
