"""Training: base model → stage 1 (identifiers) → stage 2 (verification) → model folder.

Paper 3.4 and A.1. A model that was never pretrained learns to see before that: pictures are
acquainted with words, and then it is asked, word by word, what is true of a picture. Each stage
ends as a folder below ``OUT.work``, so that a run that was stopped goes on with the stage that it
was in, from its last checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.utils.data import ConcatDataset, Dataset, Sampler
from transformers import (
    AutoProcessor,
    InternVLForConditionalGeneration,
    PreTrainedModel,
    ProcessorMixin,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from offline.alignment import align
from offline.candidates import CandidateDataset, choose_queries, retrieve_candidates
from offline.collator import Collator
from offline.corpus import Corpus
from offline.pairs import PairDataset, Sample, captions_of_pairs
from offline.sampler import BlockSampler
from offline.tiny import create_tiny_model
from offline.verification import VerificationDataset, said_words
from semcore.bundle import CLUSTERS, Manifest, read_manifest
from semcore.errors import ModelError
from semcore.identifier import global_token
from semcore.item import Item, ItemStore

LOSS_LOG = "losses.jsonl"
_STAGES = ("checked", "stage1", "stage2")


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Defaults are the paper's (A.1).

    Attributes:
        batch_size: samples a step and device.
        image_repeats: how often a picture is a query in one epoch.
        gsv_queries: queries of each direction whose candidates stage 2 learns from; 0 for none.
        gsv_rehearsal: samples of stage 1 in stage 2, for each candidate.
        gsv_held_out: share of the pairs that stage 1 does not see and stage 2 searches in, so that
            its candidates are as uncertain as those of new items; for small corpora, which stage 1
            knows by heart.
        lora_rank: 0 trains all weights.
        align_epochs: epochs of acquainting pictures with words; only for unpretrained models.
        check_epochs: epochs, over the texts, of asking at each word whether it is true of a
            picture; only for models acquainted with words so. From then on the vision side and the
            first layer's attention, which compare, stay as they are.
        check_rehearsal: such samples in stage 1, for each text; stage 2 asks at each word as well.
    """

    epochs: float = 5.0
    batch_size: int = 4
    learning_rate: float = 4e-5
    image_repeats: int = 5
    gsv_epochs: float = 1.0
    gsv_queries: int = 20_000
    gsv_learning_rate: float = 4e-5
    gsv_rehearsal: float = 1.0
    gsv_held_out: float = 0.0
    lora_rank: int = 0
    align_epochs: float = 0.0
    check_epochs: float = 0.0
    check_rehearsal: float = 0.0
    align_learning_rate: float = 2e-3
    warmup_steps: int = 60
    seed: int = 0


TINY = TrainSettings(
    epochs=1.25,
    batch_size=32,
    learning_rate=1.5e-3,
    image_repeats=6,
    gsv_epochs=1.0,
    gsv_queries=300,
    gsv_learning_rate=5e-4,
    gsv_rehearsal=0.5,
    gsv_held_out=0.15,
    align_epochs=5.0,
    check_epochs=0.5,
    check_rehearsal=0.25,
)


def train_model(
    bundle: Path,
    base: str | None,
    out: Path,
    settings: TrainSettings,
    warm_up: Corpus | None = None,
    report: Callable[[str], None] = print,
) -> Path:
    """Train on the bundle's training split and write the model folder ``out``.

    Args:
        base: path or hub name of an InternVL checkpoint in Hugging Face format; None creates the
            tiny model.
        warm_up: pictures that only the acquaintance with words sees, beside the bundle's own.

    Raises:
        BundleError: ``bundle`` is no bundle.
        ModelError: the base cannot be loaded, or the bundle has no training split.
    """
    transformers.utils.logging.set_verbosity_error()
    transformers.set_seed(settings.seed)
    manifest = read_manifest(bundle)
    items = _training_items(bundle)
    root = Path(manifest.corpus.image_root)
    work = out.with_name(out.name + ".work")
    work.mkdir(parents=True, exist_ok=True)

    def stage(name: str, make: Callable[[Path], None]) -> Path:
        folder = work / name
        if not folder.exists():
            report(f"training: {name}")
            unfinished = work / f"{name}.part"
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(folder)
        return folder

    started = stage("base", lambda to: _start(base, bundle, manifest, items, settings.seed, to))
    if settings.align_epochs:
        source = started
        started = stage("aligned", lambda to: _align(source, to, items, root, warm_up, settings))
    known, fresh = _held_out(items, settings.gsv_held_out)
    if settings.check_epochs:
        acquainted = started
        started = stage("checked", lambda to: _check(acquainted, to, known, root, settings))
    first = stage("stage1", lambda to: _stage_1(started, to, known, root, settings))
    last = first
    if settings.gsv_queries:
        last = stage("stage2", lambda to: _stage_2(first, to, known, fresh, root, settings))
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(last, out)
    logs = [work / f"{name}.{LOSS_LOG}" for name in _STAGES]
    (out / LOSS_LOG).write_text("".join(log.read_text() for log in logs if log.exists()))
    (out / "training.json").write_text(json.dumps({"base": base, **asdict(settings)}, indent=2))
    shutil.rmtree(work)
    return out


def _training_items(bundle: Path) -> list[Item]:
    store = ItemStore(bundle / "items.sqlite", ("train",))
    items = [*store.of_split("train", "image"), *store.of_split("train", "text")]
    store.close()
    if not items:
        raise ModelError(f"{bundle} has no items of the split 'train' to learn from")
    return items


def _held_out(items: Sequence[Item], share: float) -> tuple[Sequence[Item], Sequence[Item]]:
    """What stage 1 learns from and what stage 2 searches in: all for both if ``share`` is 0.

    The pairs held out are the last ones, which leaves near-duplicates together.
    """
    pairs = list(dict.fromkeys(item.pair for item in items if item.kind == "image"))
    last = set(pairs[len(pairs) - round(share * len(pairs)) :])
    if not last:
        return items, items
    return [i for i in items if i.pair not in last], [i for i in items if i.pair in last]


def load_model(folder: str | Path) -> tuple[InternVLForConditionalGeneration, ProcessorMixin]:
    """A checkpoint in float32 with its processor. Raises :class:`ModelError` if it is none."""
    try:
        processor = AutoProcessor.from_pretrained(folder)
        model = InternVLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{folder} is no InternVL checkpoint in Hugging Face format ({error})"
        ) from error
    return model, processor


def _save(model: PreTrainedModel, processor: ProcessorMixin, folder: Path) -> None:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _start(
    base: str | None, bundle: Path, manifest: Manifest, items: Sequence[Item], seed: int, to: Path
) -> None:
    """The base model with one token a cluster, each near the words that its cluster says."""
    if base is None:
        create_tiny_model((item.caption for item in items if item.kind == "text"), to, seed)
    model, processor = load_model(base or to)
    tokenizer = processor.tokenizer
    said: list[list[str]] = json.loads((bundle / CLUSTERS).read_text())
    if len(said) != manifest.settings.clusters:
        raise ModelError(f"{bundle / CLUSTERS} does not fit its manifest; build the bundle again")
    tokens = [global_token(cluster) for cluster in range(len(said))]
    tokenizer.add_tokens(tokens, special_tokens=True)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer), pad_to_multiple_of=64)
    for table in {model.get_input_embeddings().weight, model.get_output_embeddings().weight}:
        with torch.no_grad():
            for token, words in zip(tokens, said, strict=True):
                text = "".join(f" {word}" for word in words) or " "
                ids = tokenizer.encode(text, add_special_tokens=False)
                table[tokenizer.convert_tokens_to_ids(token)] = table[ids].mean(0)
    _save(model, processor, to)


def _align(
    source: Path,
    to: Path,
    items: Sequence[Item],
    root: Path,
    warm_up: Corpus | None,
    settings: TrainSettings,
) -> None:
    model, processor = load_model(source)
    captions = captions_of_pairs(items)
    pictures = [(root / i.image, captions[i.pair]) for i in items if i.kind == "image"]
    if warm_up is not None:
        pictures += [(warm_up.image_root / p.image, " ".join(p.captions)) for p in warm_up.pictures]
    align(
        model,
        processor,
        pictures,
        settings.align_epochs,
        settings.align_learning_rate,
        settings.seed,
    )
    _save(model, processor, to)


def _check(
    source: Path, to: Path, items: Sequence[Item], root: Path, settings: TrainSettings
) -> None:
    model, processor = load_model(source)
    _keep_seeing(model)
    data = VerificationDataset(items, root, settings.seed)
    own = replace(settings, epochs=settings.check_epochs)
    sampler = BlockSampler((data.sizes,), (1.0,), own.batch_size, own.seed)
    _fit(model, processor, data, to, own, sampler)


def _stage_1(
    source: Path, to: Path, items: Sequence[Item], root: Path, settings: TrainSettings
) -> None:
    model, processor = load_model(source)
    if settings.check_epochs:
        _keep_comparing(model)
    pairs = PairDataset(items, root, settings.image_repeats, settings.seed)
    data: Dataset[Sample] = pairs
    sizes, shares = [*pairs.sizes], [1.0, 1.0]
    if settings.check_rehearsal:
        checks = VerificationDataset(items, root, settings.seed)
        data = ConcatDataset([pairs, checks])
        sizes.append(checks.sizes)
        shares.append(settings.check_rehearsal)
    sampler = BlockSampler(sizes, shares, settings.batch_size, settings.seed)
    _fit(model, processor, data, to, settings, sampler)


def _stage_2(
    source: Path,
    to: Path,
    known: Sequence[Item],
    fresh: Sequence[Item],
    root: Path,
    settings: TrainSettings,
) -> None:
    model, processor = load_model(source)
    queries = choose_queries(fresh, settings.gsv_queries, settings.seed)
    sets = retrieve_candidates(model, processor, fresh, queries, root)
    said = None
    if settings.check_epochs:
        _keep_comparing(model)
        said = said_words(fresh)
    verification = CandidateDataset(queries, sets, root, said)
    # Some of stage 1 is rehearsed, lest the identifiers be forgotten over the answers.
    identifiers = PairDataset(known, root, settings.image_repeats, settings.seed)
    data: Dataset[Sample] = ConcatDataset([verification, identifiers])
    share = settings.gsv_rehearsal * len(verification) / len(identifiers)
    own = replace(settings, epochs=settings.gsv_epochs, learning_rate=settings.gsv_learning_rate)
    sampler = BlockSampler(
        (verification.sizes, *identifiers.sizes), (1.0, share, share), own.batch_size, own.seed
    )
    _fit(model, processor, data, to, own, sampler)


def _keep_seeing(model: InternVLForConditionalGeneration) -> None:
    model.model.vision_tower.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(False)


def _keep_comparing(model: InternVLForConditionalGeneration) -> None:
    """Identifiers, learned at a high rate, would undo what verification needs."""
    _keep_seeing(model)
    model.model.language_model.layers[0].self_attn.requires_grad_(False)


def _fit(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    data: Dataset[Sample],
    to: Path,
    settings: TrainSettings,
    sampler: Sampler[int],
) -> None:
    """One stage with Hugging Face's trainer; writes the trained model to ``to``."""
    checkpoints = to.with_suffix(".checkpoints")
    gpu = torch.cuda.is_available()
    if settings.lora_rank:
        model = _with_adapter(model, settings.lora_rank)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup_steps,
        weight_decay=0.05,
        adam_beta2=0.98,
        bf16=gpu,  # most CPUs emulate it, several times slower than float32
        use_cpu=not gpu,
        dataloader_pin_memory=gpu,
        gradient_checkpointing=gpu,
        logging_steps=10,
        save_steps=500,
        save_total_limit=1,
        remove_unused_columns=False,
        report_to=[],
        seed=settings.seed,
        disable_tqdm=False,
    )
    log = to.with_suffix(f".{LOSS_LOG}")
    trainer = _SampledTrainer(
        sampler,
        model=model,
        args=arguments,
        train_dataset=data,
        data_collator=Collator(processor),
        callbacks=[_LossLog(log)],
    )
    last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    if settings.lora_rank:
        model = model.merge_and_unload()
    _save(model, processor, to)
    shutil.rmtree(checkpoints, ignore_errors=True)


class _SampledTrainer(Trainer):  # type: ignore[misc]
    """The trainer with a sampler of ours."""

    def __init__(self, sampler: Sampler[int], **arguments: Any) -> None:
        self._sampler = sampler
        super().__init__(**arguments)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self._sampler


def _with_adapter(model: PreTrainedModel, rank: int) -> Any:
    """Low-rank adapters on the language model; the embeddings learn the clusters' tokens."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=r".*language_model.*\.(q|k|v|o|gate|up|down)_proj",
        modules_to_save=["embed_tokens", "lm_head"],
        ensure_weight_tying=True,
    )
    return get_peft_model(model, config)


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
