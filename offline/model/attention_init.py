"""Words that look for their like in the picture from the start, for models never pretrained.

To tell whether a word is true of a picture, attention must find the visual token that is like the
word, and say so if there is none. A small network takes long to discover that; here the heads of
the first layer begin with it (mimetic initialisation, Trockman and Kolter, 2023): equal projections
for queries and keys make attention a likeness, and what finds nothing attends to the first token of
the prompt, a sink (Xiao et al., 2024).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from transformers import InternVLForConditionalGeneration, PreTrainedTokenizerBase
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention

_SHARPNESS = 1.4
_MARK = 6.0  # of a visual token along the direction of pictures, where its length is √hidden
_PULL = 12.0  # how much more a visual token, or the sink, attracts than a word; in logits
_SINK = 3.0  # how much more the sink attracts than a visual token unlike the word
_NEARBY = 9  # of the rotary pairs the one whose wave falls off over about one prompt


def start_comparing(
    model: InternVLForConditionalGeneration, tokenizer: PreTrainedTokenizerBase, length: float
) -> None:
    """Set the first layer's attention, the projector's mark and the first token's embedding.

    All heads but the last see the whole prompt, by the slower half of their rotary pairs; the last
    one prefers what is near.

    Args:
        length: the usual length of a visual token behind the projector.
    """
    attention = model.model.language_model.layers[0].self_attn
    projector = model.model.multi_modal_projector.linear_2
    table = model.get_input_embeddings().weight
    hidden = table.shape[1]
    heads = hidden // attention.head_dim
    with torch.no_grad():
        # 1. Two directions that no word uses: visual tokens bear one, the sink is the other.
        pictures, sink = _unused_directions(table[: len(tokenizer)])
        mark = _MARK / math.sqrt(hidden - _MARK**2) * length
        projector.weight -= torch.outer(pictures, pictures @ projector.weight)
        projector.bias += pictures * (mark - pictures @ projector.bias)
        table[tokenizer.convert_tokens_to_ids("<|im_start|>")] = sink * table.norm(dim=-1).mean()
        # 2. Each head: likeness, drawn to both by the bias of its queries.
        for head in range(heads):
            _set_head(attention, head, pictures, sink, near=head == heads - 1)


def _set_head(
    attention: Qwen2Attention, head: int, pictures: Tensor, sink: Tensor, *, near: bool
) -> None:
    query, key = attention.q_proj, attention.k_proj
    width, hidden = attention.head_dim, len(pictures)
    own = slice(head * width, (head + 1) * width)
    like = _likeness(width, hidden, slow_only=not near)
    query.weight[own], key.weight[own] = like, like
    query.bias[own], key.bias[own] = 0.0, 0.0
    slowest, scale = width // 2 - 1, math.sqrt(width)
    for pair, direction, bias in (
        (_NEARBY if near else slowest, pictures, scale * _PULL / _MARK),
        (slowest - 1, sink, scale * (_PULL + _SINK) / math.sqrt(hidden)),
    ):
        one, other = own.start + pair, own.start + pair + width // 2
        query.weight[[one, other]] = 0.0
        key.weight[other] = 0.0
        key.weight[one] = direction
        query.bias[one] = bias


def _unused_directions(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """The two orthogonal unit vectors, float [hidden], along which the words differ least."""
    *_, rows = torch.linalg.svd(embeddings - embeddings.mean(0), full_matrices=False)
    return rows[-1], rows[-2]


def _likeness(width: int, hidden: int, *, slow_only: bool) -> Tensor:
    """A projection, float [width, hidden], under which likeness survives rotary positions."""
    projection = torch.empty(width, hidden)
    torch.nn.init.orthogonal_(projection, gain=_SHARPNESS)
    if slow_only:
        half, quarter = width // 2, width // 4
        projection[:quarter] = 0.0
        projection[half : half + quarter] = 0.0
    return projection
