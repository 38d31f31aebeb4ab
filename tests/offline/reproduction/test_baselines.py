"""The classical systems answer what the product is asked, and are trained once."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from bundles import bundle_of
from PIL import Image

from offline.evaluation.evaluation import ANSWERS_LOG
from offline.evaluation.query_runner import Questions, chosen_queries
from offline.model.tiny import create_tiny_model
from offline.reproduction import baselines
from offline.reproduction.answers import read_answers
from offline.reproduction.baselines import make_re_ranker, make_towers
from offline.reproduction.two_tower import TwoTower
from offline.training.presets import TINY
from semcore.bundle.item import Item, ItemStore
from semcore.identifiers.encoder import Encoder
from semcore.kind import DIRECTIONS, target_kind

COLOURS = ("red", "green", "blue", "white", "black", "yellow", "purple", "orange")
SETTINGS = replace(TINY, samples=32, batch_size=8, gsv_queries=2, warmup_steps=1)
SHOWN = 5
CANDIDATES = 3


@dataclass(frozen=True)
class Made:
    """A bundle, a base, and the systems that were made of them."""

    bundle: Path
    base: Path
    towers: Path
    re_ranked: Path
    features: Path

    def make_towers(self, limit: int | None = None) -> float:
        return make_towers(
            self.bundle, self.base, self.towers, SETTINGS, Encoder(), limit, self.features
        )

    def make_re_ranker(self) -> float:
        return make_re_ranker(
            self.bundle, self.base, self.towers, self.re_ranked, SETTINGS, None, self.features
        )


def items() -> Iterator[Item]:
    for split in ("train", "test"):
        for number, colour in enumerate(COLOURS):
            pair = f"{split} {number}"
            identifier = f"<g{number}> {colour}"
            picture = f"{colour}.png"
            yield Item(pair, "image", split, pair, False, colour, picture, identifier)
            for text in range(2):
                said = f"a {colour} picture, said {('first', 'again')[text]}"
                name = f"{pair}#{text}"
                yield Item(name, "text", split, pair, text == 1, said, "", identifier)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder: Path = tmp_path_factory.mktemp("baselines")
    for colour in COLOURS:
        Image.new("RGB", (40, 40), colour).save(folder / f"{colour}.png")
    bundle = bundle_of(items(), folder / "bundle", folder)
    create_tiny_model([item.caption for item in items()], folder / "base", 0, "half")
    found = Made(
        bundle, folder / "base", folder / "towers", folder / "re-ranked", folder / "features"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "_SHOWN", SHOWN)
        patch.setattr(baselines, "_CANDIDATES", CANDIDATES)
        found.make_towers()
        found.make_re_ranker()
        yield found


def test_ranks_are_those_of_an_exact_search(made: Made) -> None:
    answers = read_answers(made.towers)
    towers = TwoTower.load(made.towers / "model", made.bundle.parent, made.features)
    store = ItemStore(made.bundle / "items.sqlite", ("test",))
    assert list(answers) == list(DIRECTIONS)
    for direction, answered in answers.items():
        queries = chosen_queries(made.bundle, Questions(direction))
        assert [one.query for one in answered] == [query.id for query in queries]
        assert len(queries) == len(COLOURS)
        gallery = list(store.of_split("test", target_kind(direction)))
        likeness = towers.encode(queries) @ towers.encode(gallery).T
        for query, one, near in zip(queries, answered, likeness, strict=True):
            order = np.argsort(-near, kind="stable")[:SHOWN]
            right = [rank for rank, at in enumerate(order, 1) if gallery[at].pair == query.pair]
            assert one.beam == one.verified == min(right, default=None)
            assert one.lead == pytest.approx(near[order[0]] - near[order[1]], abs=1e-4)
            assert (one.pair, one.illegal, one.first_changed) == (query.pair, 0.0, False)
    store.close()


def test_only_the_candidates_are_put_into_another_order(made: Made) -> None:
    before, after = read_answers(made.towers), read_answers(made.re_ranked)
    for direction in DIRECTIONS:
        for one, other in zip(before[direction], after[direction], strict=True):
            assert (other.query, other.pair, other.lead) == (one.query, one.pair, one.lead)
            assert other.beam == one.beam
            if one.beam is None or one.beam > CANDIDATES:
                assert other.verified == one.beam
            else:
                assert other.verified in range(1, CANDIDATES + 1)


def test_what_is_trained_is_not_trained_again(made: Made) -> None:
    """Also where the queries are asked anew, since a run was stopped before they were answered."""
    kept = {folder: read_answers(folder) for folder in (made.towers, made.re_ranked)}
    hidden = made.base.with_name("hidden")
    made.base.rename(hidden)
    try:
        for folder, make in (
            (made.towers, made.make_towers),
            (made.re_ranked, made.make_re_ranker),
        ):
            (folder / ANSWERS_LOG).unlink()
            assert make() == float((folder / "trained.seconds").read_text()) > 0
            assert read_answers(folder) == kept[folder]
    finally:
        hidden.rename(made.base)


def test_as_many_are_asked_as_told(made: Made, tmp_path: Path) -> None:
    few = replace(made, towers=tmp_path / "towers")
    shutil.copytree(made.towers, few.towers)
    few.make_towers(limit=2)
    assert {len(answered) for answered in read_answers(few.towers).values()} == {2}
