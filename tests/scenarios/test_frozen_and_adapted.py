"""A model that sees by the frozen encoder, and has its adapter beside it, is served as it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import torch
from frozen import create_frozen_model
from moment import MOMENT, SERVICE

from cli.service_process import serving
from offline.bundle.binding import bind_bundle
from offline.bundle.build import BuildSettings, build_bundle
from offline.corpus.corpus import Corpus
from offline.image_inputs import Features
from offline.model.backbone import Backbone, load_model
from offline.model.lora import merge_adapter
from offline.training.candidates import Query, constrained_beams
from offline.training.stages import train_model
from semcore.bundle.bundle import check_bundle
from semcore.bundle.item import Item, ItemStore
from semcore.bundle.picture_table import PICTURE_FILES
from semcore.kind import DIRECTIONS, Direction, target_kind
from semcore.model.adapter import adapter_of, adapter_rank
from semcore.trie.walk import load_walk

BEAM_WIDTH = 5
RANK = 4
SETTINGS = replace(
    MOMENT,
    lora_rank=RANK,
    merge_adapter=False,
    align_epochs=0.0,
    check_epochs=0.0,
    check_rehearsal=0.0,
    epochs=0.5,
    gsv_queries=4,
)


@pytest.fixture(scope="module")
def adapted(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapted")
    create_frozen_model([c for p in corpus.pictures for c in p.captions], folder / "base")
    build_bundle(corpus, folder / "bundle", BuildSettings(clusters=4, gallery=("test",)))
    train_model(folder / "bundle", str(folder / "base"), folder / "model", SETTINGS, report=print)
    bind_bundle(folder / "bundle", folder / "model")
    return folder


@pytest.fixture(scope="module")
def url(adapted: Path) -> Iterator[str]:
    with serving(adapted / "bundle", environment={**SERVICE, "SEMCORE_LEAF_LIMIT": "0"}) as address:
        yield address


def test_the_adapter_lies_beside_the_model(adapted: Path) -> None:
    adapter = adapter_of(adapted / "model")
    assert adapter is not None
    assert adapter_rank(adapter) == RANK
    base, _ = load_model(adapted / "base")
    model, _ = load_model(adapted / "model")
    layer, adapted_layer = (
        one.model.language_model.layers[-1].self_attn.q_proj.weight.clone() for one in (base, model)
    )
    torch.testing.assert_close(layer, adapted_layer)
    merged = merge_adapter(model, adapter).model.language_model.layers[-1].self_attn.q_proj.weight
    assert not torch.allclose(layer, merged)


def test_the_bundle_holds_its_pictures(adapted: Path) -> None:
    assert set(PICTURE_FILES) <= check_bundle(adapted / "bundle").files.keys()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_beams_are_those_of_hugging_face(
    url: str, adapted: Path, corpus: Corpus, direction: Direction
) -> None:
    bundle = adapted / "bundle"
    kind = target_kind(direction)
    store = ItemStore(bundle / "items.sqlite", ("test",))
    asked = list(store.of_split("test", "text" if kind == "image" else "image"))[:5]
    model, processor = load_model(adapted / "model")
    adapter = adapter_of(adapted / "model")
    assert adapter is not None
    whole: Backbone = merge_adapter(model, adapter)
    queries = [
        Query(direction, item.caption if kind == "image" else item.image, item.pair)
        for item in asked
    ]
    walk = load_walk(bundle / kind)
    reference = constrained_beams(
        whole, processor, walk, queries, corpus.image_root, Features(), BEAM_WIDTH
    )
    for query, beams in zip(queries, reference, strict=True):
        answer = search(url, query, Path(corpus.image_root))
        found = {item["identifier"]["text"]: item["logprob"] for item in answer["items"]}
        theirs = {identifier(store, walk.items_of(leaf)[0]): score for leaf, score in beams}
        assert len(found.keys() & theirs.keys()) >= BEAM_WIDTH - 1
        for text in found.keys() & theirs.keys():
            assert found[text] == pytest.approx(theirs[text], abs=2e-3)
        assert answer["verified"]
        assert all(item["verification"] is not None for item in answer["items"][:5])
    store.close()


def search(url: str, query: Query, root: Path) -> dict[str, list[dict[str, object]]]:
    options = {"beam_width": BEAM_WIDTH, "top_k": 100, "verify": "always"}
    path = f"{url}/search/{query.direction}"
    if query.direction == "text-to-image":
        response = httpx.post(path, json={"query": query.content, **options}, timeout=120)
    else:
        files = {"image": (root / query.content).read_bytes()}
        fields = {name: str(value) for name, value in options.items()}
        response = httpx.post(path, data=fields, files=files, timeout=120)
    assert response.status_code == 200, response.text
    answer: dict[str, list[dict[str, object]]] = response.json()
    return answer


def identifier(store: ItemStore, number: int) -> str:
    item: Item = store.of_numbers([int(number)])[0]
    return item.identifier
