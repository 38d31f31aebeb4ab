"""Fitting: one stage of training with Hugging Face's trainer, from its last checkpoint if it has
one. On several GPUs, and with DeepSpeed, under ``accelerate launch`` (see deploy/training).
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import ConcatDataset, Dataset, Sampler
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    ProcessorMixin,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import is_deepspeed_zero3_enabled
from transformers.trainer import TRAINER_STATE_NAME

from offline.image_inputs import PictureReader
from offline.model.backbone import Backbone, save_model
from offline.model.lora import merged, split_adapter, with_adapter
from offline.model.precision import choose_attention, is_half
from offline.progress import Lines
from offline.training.collator import Collator
from offline.training.pairs import Sample, SampleDataset
from offline.training.presets import TrainSettings
from offline.training.sampler import BlockSampler
from semcore.bars import has_bars
from semcore.errors import ModelError
from semcore.flush import write_whole
from semcore.model.adapter import ADAPTER

LOSS_LOG = "losses.jsonl"


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Attributes:
    batch_size: samples a step and device.
    save_steps: steps from checkpoint to checkpoint.
    lora_rank: 0 trains all weights.
    merge: whether the adapter is merged into the model in the end, and not kept beside it.
    """

    epochs: float
    batch_size: int
    learning_rate: float
    warmup_steps: int
    lora_rank: int
    seed: int
    save_steps: int
    merge: bool = True

    @classmethod
    def of(cls, settings: TrainSettings, epochs: float) -> FitSettings:
        """Those of one stage of a training."""
        return cls(
            epochs=epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            warmup_steps=settings.warmup_steps,
            lora_rank=settings.lora_rank,
            save_steps=settings.save_steps,
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
    checkpoints = to.with_suffix(".checkpoints")
    gpu = torch.cuda.is_available()
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
        ddp_find_unused_parameters=True,  # a batch of texts leaves the vision side out
        logging_steps=10,
        save_steps=settings.save_steps,
        save_total_limit=1,
        remove_unused_columns=False,
        report_to=[],
        seed=settings.seed,
        disable_tqdm=not has_bars(),
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # on several it is trained by as many processes; see deploy/training
    # Known from here on: it is the arguments that read what the launcher has set.
    divided = is_deepspeed_zero3_enabled()
    if settings.lora_rank and divided:
        raise ModelError("an adapter is trained with ZeRO stage 2 at most; use zero2.yaml")
    choose_attention(model)
    trained: PreTrainedModel = model
    if settings.lora_rank:
        trained = with_adapter(model, settings.lora_rank, adapter)
    trainer = _SampledTrainer(
        sampler,
        model=trained,
        args=arguments,
        train_dataset=data,
        data_collator=Collator(processor, pictures),
        callbacks=[_LossLog(to.with_suffix(f".{LOSS_LOG}")), _Epochs(data, sampler)],
    )
    if not has_bars():  # the trainer would print its losses, which are logged
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(_Lines(to.stem))
    trainer.train(resume_from_checkpoint=_last_of(checkpoints))
    weights = None
    if divided:  # each process holds a part of them
        weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if trainer.is_world_process_zero():
        if settings.lora_rank:
            model = merged(trained) if settings.merge else split_adapter(trained, to / ADAPTER)
        save_model(model, processor, to, weights)
        shutil.rmtree(checkpoints, ignore_errors=True)
    return int(trainer.state.global_step * arguments.train_batch_size * arguments.world_size)


def _last_of(checkpoints: Path) -> str | None:
    """The last one that was written as a whole: its state comes last."""
    whole = [file.parent for file in checkpoints.glob(f"checkpoint-*/{TRAINER_STATE_NAME}")]
    return str(max(whole, key=lambda folder: int(folder.name.split("-")[1]))) if whole else None


class _SampledTrainer(Trainer):  # type: ignore[misc]
    """The trainer with a sampler of ours."""

    def __init__(self, sampler: Sampler[int], **arguments: Any) -> None:
        self._sampler = sampler
        super().__init__(**arguments)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self._sampler


class _Epochs(TrainerCallback):  # type: ignore[misc]
    """Tells datasets and sampler which epoch it is; after a resume in several processes
    no loader does."""

    def __init__(self, data: Dataset[Sample], sampler: Sampler[int]) -> None:
        self._data = data.datasets if isinstance(data, ConcatDataset) else [data]
        self._sampler = sampler

    def on_epoch_begin(
        self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: object
    ) -> None:
        epoch = int(state.epoch or 0)
        for data in self._data:
            if isinstance(data, SampleDataset):
                data.epoch = epoch
        if isinstance(self._sampler, BlockSampler):
            self._sampler.set_epoch(epoch)


class _Lines(TrainerCallback):  # type: ignore[misc]
    """The first and the last line of a stage, in place of a bar, of the first process."""

    def __init__(self, stage: str) -> None:
        self._title = f"training {stage}"
        self._lines: Lines | None = None
        self._first = 0

    def on_train_begin(
        self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: object
    ) -> None:
        self._first = state.global_step
        if state.is_world_process_zero:
            self._lines = Lines(self._title)

    def on_train_end(
        self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: object
    ) -> None:
        if self._lines is not None:
            self._lines.end(state.global_step - self._first)


class _LossLog(TrainerCallback):  # type: ignore[misc]
    """One JSON line for each logged step, of the first process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_begin(
        self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: object
    ) -> None:
        """What a run that was stopped did after its last checkpoint is done again."""
        if state.is_world_process_zero and self._path.exists():
            lines = self._path.read_text().splitlines(keepends=True)
            kept = [line for line in lines if _step(line) <= state.global_step]
            write_whole(self._path, "".join(kept))

    def on_log(
        self,
        _args: TrainingArguments,
        state: TrainerState,
        _control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        if not state.is_world_process_zero:
            return
        stage = self._path.name.split(".")[0]
        with self._path.open("a") as file:
            file.write(
                json.dumps({"stage": stage, "step": state.global_step, **(logs or {})}) + "\n"
            )


def _step(line: str) -> float:
    """That of a line of the log; of half a line, at which a run was stopped, beyond all."""
    try:
        return float(json.loads(line)["step"])
    except ValueError:
        return math.inf
