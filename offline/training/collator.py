"""Samples to the tensors that any InternVL takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import BatchEncoding, ProcessorMixin

from offline.image_inputs import PictureReader
from offline.model.backbone import IGNORED
from offline.training.pairs import Sample
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.tokens import (
    IdentifierTokenizer,
    end_token,
    letter_tokens,
    verdict_tokens,
)
from semcore.model.prompt import ANSWERS, IMAGE, LETTERS

_SHARED = 0
_HIDDEN = torch.finfo(torch.bfloat16).min


class Collator:
    """Pads samples to one batch; the loss counts the answers only (paper eq. 3)."""

    def __init__(self, processor: ProcessorMixin, pictures: PictureReader) -> None:
        self._tokenizer = processor.tokenizer
        self._tokens_of_image = image_text(processor)
        self._spelling = IdentifierTokenizer(processor.tokenizer)
        self._verdicts = verdict_tokens(processor.tokenizer)
        self._pictures = pictures

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """Keys: input_ids, attention_mask, labels, int64 [batch, length]; pixel_values, as
        the picture reader gives them, where there are images.

        Where a sample has several answers they follow each other, position_ids are int64
        [batch, length], and the attention_mask, float32 [batch, 1, length, length], which is added
        to the attention's logits, hides each answer from the others.
        """
        rows = [self._encode(sample) for sample in samples]
        length = max(len(row.tokens) for row in rows)
        pad = self._tokenizer.pad_token_id or 0
        batch = {
            "input_ids": _padded([row.tokens for row in rows], length, pad),
            "attention_mask": _padded([[1] * len(row.tokens) for row in rows], length, 0),
            "labels": _padded([row.labels for row in rows], length, IGNORED),
        }
        if any(len(sample.answers) > 1 for sample in samples):
            batch["position_ids"] = _padded([row.positions for row in rows], length, 0)
            batch["attention_mask"] = _hiding(_padded([row.branches for row in rows], length, -1))
        images = [path for sample in samples for path in sample.images]
        if images:
            batch["pixel_values"] = self._pictures(images)
        return batch

    def _encode(self, sample: Sample) -> _Row:
        """The last token of the prompt begins each of the branches, since what is said first is
        asked for there."""
        encoded = self._tokenizer(self._expanded(sample.prompt), add_special_tokens=False)
        prompt: list[int] = encoded["input_ids"]
        labels = [IGNORED] * len(prompt)
        yes, no = self._verdicts
        for place, true in sample.checks:
            last = len(self._expanded(sample.prompt[:place])) - 1
            # What stands at a place is what the model is to say after the token before it.
            labels[encoded.char_to_token(last) + 1] = yes if true else no
        shared = len(prompt) - 1
        row = _Row(prompt[:-1], labels[:-1], list(range(shared)), [_SHARED] * shared)
        for branch, text in enumerate(sample.answers, _SHARED + 1):
            answer = self._answer(text, is_prose=sample.is_prose)
            row.tokens.extend([prompt[-1], *answer])
            row.labels.extend([labels[-1] if branch == _SHARED + 1 else IGNORED, *answer])
            row.positions.extend(range(shared, shared + 1 + len(answer)))
            row.branches.extend([branch] * (1 + len(answer)))
        return row

    def _answer(self, text: str, *, is_prose: bool) -> list[int]:
        """The tokens of an identifier or of prose, with the end token, or the one token of a
        verdict or a letter."""
        if is_prose:
            tokens: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
            return [*tokens, end_token(self._tokenizer)]
        if text in ANSWERS:
            return [self._verdicts[ANSWERS.index(text)]]
        if text in tuple(LETTERS):
            return [letter_tokens(self._tokenizer)[LETTERS.index(text)]]
        return self._spelling.tokens(Identifier.parse(text))

    def _expanded(self, text: str) -> str:
        return text.replace(IMAGE, self._tokens_of_image)


@dataclass(frozen=True, slots=True)
class _Row:
    """One sample; ``branches``: :data:`_SHARED` in the prompt, then the number of the answer."""

    tokens: list[int]
    labels: list[int]
    positions: list[int]
    branches: list[int]


def image_text(processor: ProcessorMixin) -> str:
    """What the placeholder of an image of one tile stands for in the prompt."""
    context = processor.image_token * processor.image_seq_length
    return f"{processor.start_image_token}{context}{processor.end_image_token}"


def left_padded(processor: ProcessorMixin, prompts: Sequence[str]) -> BatchEncoding:
    """Prompts to go on from: input_ids and attention_mask, int64 [prompts, length]."""
    return processor.tokenizer(
        prompts, add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt"
    )


def _padded(rows: Sequence[Sequence[int]], length: int, value: int) -> Tensor:
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])


def _hiding(branches: Tensor) -> Tensor:
    """Float32 [batch, 1, length, length]: 0 where one sees the other, far below elsewhere.

    Args:
        branches: int64 [batch, length]; below 0 is padding.
    """
    seen, seeing = branches[:, None, :], branches[:, :, None]
    sees = ((seen == _SHARED) | (seen == seeing)).tril() & (seen >= 0)
    return torch.zeros(sees.shape).masked_fill(~sees, _HIDDEN)[:, None]
