"""The projection learns which picture a caption is of."""

import numpy as np
import pytest
import torch

from offline.guide.item_vectors import USUAL_WEIGHT
from offline.guide.projection import _learned, _merged, fit_projection, learn_projection
from semcore.bundle.item import Item
from semcore.guide.guide import loaded_encoder
from semcore.guide.projection import projected

COUNT, DIMENSION = 200, 16


def captions_and_looks(seed: int) -> tuple[list[np.ndarray], torch.Tensor]:
    """Pictures of which a random linear map of the caption can be seen."""
    rng = np.random.default_rng(seed)
    said = rng.standard_normal((COUNT, DIMENSION)).astype(np.float32)
    said /= np.linalg.norm(said, axis=1, keepdims=True)
    seen = said @ np.random.default_rng(0).standard_normal((DIMENSION, 24)).astype(np.float32)
    return [one[None] for one in said], torch.from_numpy(seen)


def first_places(weights: dict[str, torch.Tensor], seed: int) -> float:
    captions, pools = captions_and_looks(seed)
    found = projected(weights, pools).numpy() @ np.concatenate(captions).T
    return float((found.argmax(axis=1) == np.arange(COUNT)).mean())


def test_it_holds_for_pictures_that_were_not_trained_on() -> None:
    captions, pools = captions_and_looks(1)
    learned = learn_projection(pools, captions, seed=0)
    assert first_places(learned, seed=2) > 0.8
    shuffled = learn_projection(pools, captions[1:] + captions[:1], seed=0)
    assert first_places(shuffled, seed=2) < 0.1


def test_one_picture_is_enough_to_begin_with() -> None:
    captions, pools = captions_and_looks(1)
    learned = learn_projection(pools[:1], captions[:1], seed=0)
    assert all(torch.isfinite(tensor).all() for tensor in learned.values())


def test_a_seed_gives_the_same_again() -> None:
    captions, pools = captions_and_looks(1)
    first, again, other = (learn_projection(pools, captions, seed) for seed in (0, 0, 1))
    torch.testing.assert_close(first, again)
    assert not torch.equal(first["linear_2.bias"], other["linear_2.bias"])


def test_members_are_merged_into_the_mean_of_their_outputs() -> None:
    captions, pools = captions_and_looks(1)
    members = [_learned(pools, captions, seed) for seed in range(3)]
    hidden = [
        torch.nn.functional.gelu(
            ((pools - one["mean"]) * one["scale"]) @ one["linear_1.weight"].T + one["linear_1.bias"]
        )
        for one in members
    ]
    outputs = [
        layer @ one["linear_2.weight"].T + one["linear_2.bias"]
        for layer, one in zip(hidden, members, strict=True)
    ]
    mean = torch.nn.functional.normalize(torch.stack(outputs).mean(dim=0), dim=-1)
    torch.testing.assert_close(projected(_merged(members), pools), mean)


def item(kind: str, pair: str, caption: str, split: str) -> Item:
    name = pair if kind == "image" else f"{pair}#{caption}"
    return Item(name, "image" if kind == "image" else "text", split, pair, True, caption, "", "")


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_weight_is_chosen_on_validation_queries(split: str) -> None:
    words = [
        f"{one} {other}" for one in ("red", "blue", "old") for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ]
    items = []
    for part in {"train", split}:
        for number, word in enumerate(words):
            pair = f"{part}{number}"
            items += [item("image", pair, "a picture", part)]
            items += [item("text", pair, f"{word} {place}", part) for place in ("here", "there")]
    encoder = loaded_encoder("")
    vectors = dict(zip(words, encoder.encode(words), strict=True))
    of_pair = {one.pair: one.caption.rpartition(" ")[0] for one in items if one.kind == "text"}
    pools = {
        one.id: torch.from_numpy(vectors[of_pair[one.pair]]) for one in items if one.kind == "image"
    }
    told = encoder.encode([one.caption for one in items])
    found = fit_projection(items, told, "an encoder", pools, seed=0)
    assert found.encoder == "an encoder"
    usual = USUAL_WEIGHT * len(words) / 1000  # as far as so few pictures are believed
    is_usual = found.picture_weight == pytest.approx(usual)
    assert is_usual == (split == "train")
    # The pictures' own captions say nothing here.
    assert found.picture_weight > 0
