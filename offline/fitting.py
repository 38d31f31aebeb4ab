"""Fitting: one stage of training with Hugging Face's trainer, from its last checkpoint if it has
one. On several GPUs, and with DeepSpeed, under ``accelerate launch`` (see deploy/training).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import ConcatDataset, Dataset, Sampler
from transformers import (
    PreTrainedModel,
    ProcessorMixin,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import is_deepspeed_zero3_enabled
from transformers.trainer_utils import get_last_checkpoint

from offline.backbone import Backbone, save_model
from offline.collator import Collator
from offline.lora import merged, split_adapter, with_adapter
from offline.pairs import Sample, SampleDataset
from offline.pictures import PictureReader
from offline.precision import choose_attention, is_half
from offline.presets import TrainSettings
from semcore.adapter import ADAPTER
from semcore.errors import ModelError

LOSS_LOG = "losses.jsonl"
_SAVE_STEPS = 500


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Attributes:
    batch_size: samples a step and device.
    lora_rank: 0 trains all weights.
    merge: whether the adapter is merged into the model in the end, and not kept beside it.
    """

    epochs: float
    batch_size: int
    learning_rate: float
    warmup_steps: int
    lora_rank: int
    seed: int
    merge: bool = True

    @classmethod
    def of(
        cls, settings: TrainSettings, epochs: float, learning_rate: float | None = None
    ) -> FitSettings:
        """Those of one stage of a training; its usual rate unless another one is given."""
        return cls(
            epochs=epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate if learning_rate is None else learning_rate,
            warmup_steps=settings.warmup_steps,
            lora_rank=settings.lora_rank,
            merge=settings.merge_adapter,
            seed=settings.seed,
        )


def fit(
    model: Backbone,
    processor: ProcessorMixin,
    pictures: PictureReader,
    data: Dataset[Sample],
    sampler: Sampler[int],
    settings: FitSettings,
    to: Path,
    adapter: Path | None = None,
) -> int:
    """Train ``model`` and write it to the folder ``to``; the number of samples that it has seen.

    The losses go to ``to`` with the suffix ``.losses.jsonl``; checkpoints lie beside it until the
    end, and a run that was stopped goes on from the last one as if it had not been.

    Args:
        adapter: that of the model, to go on with.

    Raises:
        ModelError: an adapter under ZeRO stage 3, which would have to be merged from parts.
    """
    if settings.lora_rank and is_deepspeed_zero3_enabled():
        raise ModelError("an adapter is trained with ZeRO stage 2 at most; use zero2.yaml")
    checkpoints = to.with_suffix(".checkpoints")
    gpu = torch.cuda.is_available()
    choose_attention(model)
    trained: PreTrainedModel = model
    if settings.lora_rank:
        trained = with_adapter(model, settings.lora_rank, adapter)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup_steps,
        weight_decay=0.05,
        adam_beta2=0.98,
        bf16=is_half(),
        use_cpu=not gpu,
        dataloader_pin_memory=gpu,
        gradient_checkpointing=gpu,
        logging_steps=10,
        save_steps=_SAVE_STEPS,
        save_total_limit=1,
        remove_unused_columns=False,
        report_to=[],
        seed=settings.seed,
        disable_tqdm=False,
    )
    trainer = _SampledTrainer(
        sampler,
        model=trained,
        args=arguments,
        train_dataset=data,
        data_collator=Collator(processor, pictures),
        callbacks=[_LossLog(to.with_suffix(f".{LOSS_LOG}")), _Epochs(data)],
    )
    last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    weights = None
    if is_deepspeed_zero3_enabled():  # each process holds a part of them
        weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if trainer.is_world_process_zero():
        if settings.lora_rank:
            model = merged(trained) if settings.merge else split_adapter(trained, to / ADAPTER)
        save_model(model, processor, to, weights)
        shutil.rmtree(checkpoints, ignore_errors=True)
    return int(trainer.state.global_step * arguments.train_batch_size * arguments.world_size)


class _SampledTrainer(Trainer):  # type: ignore[misc]
    """The trainer with a sampler of ours."""

    def __init__(self, sampler: Sampler[int], **arguments: Any) -> None:
        self._sampler = sampler
        super().__init__(**arguments)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self._sampler


class _Epochs(TrainerCallback):  # type: ignore[misc]
    """Tells the datasets which epoch it is."""

    def __init__(self, data: Dataset[Sample]) -> None:
        self._data = data.datasets if isinstance(data, ConcatDataset) else [data]

    def on_epoch_begin(
        self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: object
    ) -> None:
        for data in self._data:
            if isinstance(data, SampleDataset):
                data.epoch = int(state.epoch or 0)


class _LossLog(TrainerCallback):  # type: ignore[misc]
    """One JSON line for each logged step."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_log(
        self,
        _args: TrainingArguments,
        state: TrainerState,
        _control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        stage = self._path.name.split(".")[0]
        with self._path.open("a") as file:
            file.write(
                json.dumps({"stage": stage, "step": state.global_step, **(logs or {})}) + "\n"
            )
