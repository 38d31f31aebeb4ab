"""Samples to the tensors that any InternVL takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import BatchEncoding, ProcessorMixin

from offline.backbone import IGNORED
from offline.pairs import Sample
from offline.pictures import PictureReader
from semcore.identifier import Identifier
from semcore.prompt import ANSWERS, IMAGE
from semcore.tokens import IdentifierTokenizer, end_token, verdict_tokens


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
        the picture reader gives them, where there are images."""
        rows = [self._encode(sample) for sample in samples]
        length = max(len(tokens) for tokens, _ in rows)
        pad = self._tokenizer.pad_token_id or 0
        batch = {
            "input_ids": _padded([tokens for tokens, _ in rows], length, pad),
            "attention_mask": _padded([[1] * len(tokens) for tokens, _ in rows], length, 0),
            "labels": _padded([labels for _, labels in rows], length, IGNORED),
        }
        images = [path for sample in samples for path in sample.images]
        if images:
            batch["pixel_values"] = self._pictures(images)
        return batch

    def _encode(self, sample: Sample) -> tuple[list[int], list[int]]:
        encoded = self._tokenizer(self._expanded(sample.prompt), add_special_tokens=False)
        prompt: list[int] = encoded["input_ids"]
        answer = self._answer(sample)
        labels = [IGNORED] * len(prompt) + answer
        yes, no = self._verdicts
        for place, true in sample.checks:
            last = len(self._expanded(sample.prompt[:place])) - 1
            # What stands at a place is what the model is to say after the token before it.
            labels[encoded.char_to_token(last) + 1] = yes if true else no
        return prompt + answer, labels

    def _answer(self, sample: Sample) -> list[int]:
        """The tokens of an identifier or of prose, with the end token, or the one token of a
        verdict."""
        if sample.is_prose:
            tokens: list[int] = self._tokenizer.encode(sample.answer, add_special_tokens=False)
            return [*tokens, end_token(self._tokenizer)]
        if sample.answer in ANSWERS:
            return [self._verdicts[ANSWERS.index(sample.answer)]]
        return self._spelling.tokens(Identifier.parse(sample.answer))

    def _expanded(self, text: str) -> str:
        return text.replace(IMAGE, self._tokens_of_image)


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
