"""A training starts from a base by its name, whose new tokens lie near the words they stand for."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import ProcessorMixin

from offline.model.backbone import Backbone, load_model
from offline.model.base_model import add_tokens, create_base
from semcore.bundle.bundle import TOKENS
from semcore.errors import ModelError
from semcore.model.adapter import ADAPTER, adapter_of

CAPTIONS = ["a red boat at sea", "two black cats", "a house and a tree"] * 5
NEAR = {"<g0>": ["boat", "sea"], "<g1>": [], "<g2>": ["cats"]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("base") / "tiny"
    create_base("tiny-half", CAPTIONS, 0, folder)
    return folder


def bundle(folder: Path, tokens: dict[str, list[str]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / TOKENS).write_text(json.dumps(tokens))
    return folder


def table(model: Backbone) -> Tensor:
    weight: Tensor = model.get_input_embeddings().weight.detach()
    return weight


def vectors(loaded: tuple[Backbone, ProcessorMixin], text: str) -> Tensor:
    """Those of the text's tokens, float [tokens, width]."""
    model, processor = loaded
    return table(model)[processor.tokenizer.encode(text, add_special_tokens=False)]


def test_sizes_differ_and_seeds_count(base: Path, tmp_path: Path) -> None:
    create_base("tiny", CAPTIONS, 0, tmp_path / "whole")
    create_base("tiny-half", CAPTIONS, 0, tmp_path / "again")
    create_base("tiny-half", CAPTIONS, 1, tmp_path / "other")
    models = [load_model(one)[0] for one in (base, *(tmp_path / n for n in ("again", "other")))]
    states = [dict(model.named_parameters()) for model in models]
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])
    whole, _ = load_model(tmp_path / "whole")
    assert table(whole).shape[1] > table(models[0]).shape[1]


def test_a_checkpoint_is_a_base(base: Path, tmp_path: Path) -> None:
    create_base(str(base), [], 0, tmp_path / "copy")
    one, other = (dict(load_model(f)[0].named_parameters()) for f in (base, tmp_path / "copy"))
    assert one.keys() == other.keys()
    assert all(torch.equal(weight, other[name]) for name, weight in one.items())
    with pytest.raises(ModelError, match="is no InternVL checkpoint"):
        create_base(str(tmp_path / "none"), [], 0, tmp_path / "copy")


def test_new_tokens_lie_near_their_words(base: Path, tmp_path: Path) -> None:
    add_tokens(base, tmp_path / "more", bundle(tmp_path / "bundle", NEAR), seed=0)
    before, after = load_model(base), load_model(tmp_path / "more")
    for token, words in NEAR.items():
        assert vectors(after, token).shape[0] == 1
        if words:
            said = vectors(before, "".join(f" {word}" for word in words))
            torch.testing.assert_close(vectors(after, token)[0], said.mean(0))
    # Words are what they were.
    for text in (" a red boat", "<|im_end|>"):
        assert torch.equal(vectors(before, text), vectors(after, text))
    # One that stands for no words lies among the others.
    mean, spread = table(before[0]).mean(0), table(before[0]).std(0)
    apart = (vectors(after, "<g1>")[0] - mean) / spread
    assert 0.5 < apart.std().item() < 2


def test_a_token_without_words_is_drawn_by_the_seed(base: Path, tmp_path: Path) -> None:
    described = bundle(tmp_path / "bundle", NEAR)
    drawn = []
    for number, seed in enumerate((0, 0, 1)):
        add_tokens(base, tmp_path / f"{number}", described, seed)
        drawn.append(vectors(load_model(tmp_path / f"{number}"), "<g1>"))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_table_grows_with_the_tokens(base: Path, tmp_path: Path) -> None:
    many = {f"<g{number}>": ["boat"] for number in range(100)}
    add_tokens(base, tmp_path / "more", bundle(tmp_path / "bundle", many), seed=0)
    before, (model, processor) = load_model(base), load_model(tmp_path / "more")
    rows = table(model).shape[0]
    assert rows % 64 == 0
    assert rows >= len(processor.tokenizer) == len(before[1].tokenizer) + 100
    assert model.lm_head.weight.shape[0] == rows
    (row,) = processor.tokenizer.encode("<g99>", add_special_tokens=False)
    torch.testing.assert_close(table(model)[row], vectors(before, " boat")[0])
    # The tokens of a bundle that is like it are there already.
    add_tokens(tmp_path / "more", tmp_path / "again", bundle(tmp_path / "bundle", NEAR), seed=0)
    assert table(load_model(tmp_path / "again")[0]).shape[0] == rows


def test_an_adapter_stays_beside_the_model(base: Path, tmp_path: Path) -> None:
    source = tmp_path / "adapted"
    create_base(str(base), [], 0, source)
    (source / ADAPTER).mkdir()
    (source / ADAPTER / "adapter_config.json").write_text('{"r": 4}')
    (source / ADAPTER / "adapter_model.safetensors").write_bytes(b"weights")
    for start, kept in ((source, True), (base, False)):
        to = tmp_path / f"kept {kept}"
        add_tokens(start, to, bundle(tmp_path / "bundle", NEAR), seed=0)
        assert (adapter_of(to) == to / ADAPTER) == kept
    weights = tmp_path / "kept True" / ADAPTER / "adapter_model.safetensors"
    assert weights.read_bytes() == b"weights"
