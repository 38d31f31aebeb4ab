"""Training: base model → stage 1 (identifiers) → stage 2 (verification) → model folder.

Paper 3.4 and A.1. A model that was never pretrained learns to see before that: pictures are
acquainted with words, and then it describes them, or is asked, word by word, what is true of a
picture. Each stage ends as a folder below ``OUT.work``, so that a run that was stopped goes on with
the stage that it was in, from its last checkpoint.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import torch
import transformers
from accelerate import PartialState
from transformers import ProcessorMixin

from offline.corpus.corpus import Corpus
from offline.guide.projection import learn_guide, needs_projection
from offline.image_inputs import PictureReader, picture_reader, write_features
from offline.model.backbone import (
    Backbone,
    keep_comparing,
    keep_seeing,
    load_model,
    on_device,
    save_model,
)
from offline.model.base_model import add_tokens, create_base
from offline.model.lora import merge_adapter
from offline.stored_items import held_out, training_items
from offline.training import data_mix
from offline.training.alignment import align
from offline.training.candidates import choose_queries, retrieve_candidates, write_candidates
from offline.training.data_mix import Lesson
from offline.training.hard_negatives import with_hard_negatives
from offline.training.pairs import captions_of_pairs
from offline.training.presets import TrainSettings
from offline.training.run_directory import Workplace
from offline.training.trainer import LOSS_LOG, FitSettings, fit
from semcore.bundle.bundle import may_replace, read_manifest
from semcore.bundle.item import ItemStore
from semcore.errors import ModelError
from semcore.flush import flush_all, write_whole
from semcore.identifiers.encoder import Encoder
from semcore.model.adapter import adapter_of
from semcore.model.frozen_vision import has_frozen_vision
from semcore.model.training_record import RECORD
from semcore.pictures.picture_source import picture_source

_PATIENCE = timedelta(days=2)
_STAGES = ("described", "checked", "stage1", "stage2")


def train_model(
    bundle: Path,
    base: str,
    out: Path,
    settings: TrainSettings,
    warm_up: Corpus | None = None,
    report: Callable[[str], None] = print,
    features: Path | None = None,
) -> Path:
    """Train on the bundle's training split and write the model folder ``out``, unless it holds what
    would come of that already.

    Args:
        base: ``tiny`` (``tiny-half`` and the like are other sizes of it) or ``small``, which are
            made anew, or path or hub name of an InternVL checkpoint in Hugging Face format.
        warm_up: pictures that only the acquaintance with words sees, beside the bundle's own.
        features: folder in which what a frozen encoder sees is kept, for several trainings on the
            same pictures.

    Raises:
        BundleError: ``bundle`` is no bundle.
        ModelError: the base cannot be loaded, the bundle has no training split, something that is
            no model lies at ``out``, or a training of something else was begun there.
    """
    run = _Run(bundle, base, out, settings, warm_up, report, features)
    if run.is_done():
        report(f"training: {out} is what would come of it")
        return out
    run.begin()
    first = run.stage_1(run.tokens(run.prepared()))
    last = run.stage_2(first) if settings.gsv_queries else first
    guide = run.guide(last)
    if run.is_first:
        logs = [run.work / f"{name}.{LOSS_LOG}" for name in _STAGES]
        log = "".join(log.read_text() for log in logs if log.exists())
        notes = {LOSS_LOG: log, RECORD: run.place.record(run.seen())}
        run.place.publish(last, notes, guide)
    run.wait()
    return out


def prepare_model(
    bundle: Path,
    base: str,
    out: Path,
    settings: TrainSettings,
    warm_up: Corpus | None = None,
    report: Callable[[str], None] = print,
    features: Path | None = None,
) -> Path:
    """What precedes stage 1, which many models may share as their base: all that lets a model see.

    Arguments and errors are those of :func:`train_model`.
    """
    run = _Run(bundle, base, out, settings, warm_up, report, features)
    run.begin()
    prepared = run.prepared()
    if run.is_first:
        run.place.publish(prepared, {})
    run.wait()
    return out


class _Run:
    """The stages of one training, each a folder that is made once.

    Of several processes (``accelerate launch``) all train and the first one does the rest.
    """

    def __init__(
        self,
        bundle: Path,
        base: str,
        out: Path,
        settings: TrainSettings,
        warm_up: Corpus | None,
        report: Callable[[str], None],
        features: Path | None,
    ) -> None:
        if not may_replace(out, "*.safetensors"):
            raise ModelError(f"{out} is no model, and would be lost; name another place for it")
        transformers.utils.logging.set_verbosity_error()
        # Retrieval, which the first process does for all, takes longer than others usually wait.
        self._processes = PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)
        self._bundle = bundle
        self._base = base
        self._warm_up = warm_up
        self._manifest = read_manifest(bundle)
        origin = {
            "bundle": self._manifest.version, "base": base,
            "warm_up": warm_up and warm_up.fingerprint, **asdict(settings),
        }  # fmt: skip
        self.place = Workplace(out, origin)
        self.work = self.place.folder
        self._corpus = self._manifest.corpus
        self._root = self._corpus.image_root
        self._items = training_items(bundle)
        fresh = settings.gsv_held_out if settings.gsv_queries else 0.0
        self._known, self._fresh = held_out(self._items, fresh)
        self._settings = settings
        self._report = report
        self._seen_in = features or self.work / "features"

    @property
    def is_first(self) -> bool:
        return bool(self._processes.is_main_process)

    def is_done(self) -> bool:
        """Whether the model is there already; if so, what a run has left of its work goes."""
        done = self.place.is_done()
        self.wait()  # until all know, before one goes on
        if done and self.is_first:
            self.place.clear()
        return done

    def begin(self) -> None:
        if self.is_first:
            self.place.claim(self._processes.num_processes)
        self.wait()

    def wait(self) -> None:
        """Until all processes have come this far."""
        self._processes.wait_for_everyone()

    def prepared(self) -> Path:
        """The base model, acquainted with pictures; it has described them, or was asked what is
        true of them."""
        settings = self._settings
        model = self._stage(
            "base", lambda to: create_base(self._base, self._captions(), settings.seed, to)
        )
        self._features(model)
        if settings.align_epochs:
            source = model
            model = self._stage("aligned", lambda to: self._align(source, to))
        if settings.describe_epochs:
            seeing = model
            model = self._stage("described", lambda to: self._describe(seeing, to), together=True)
        if settings.check_epochs:
            acquainted = model
            model = self._stage("checked", lambda to: self._check(acquainted, to), together=True)
        return model

    def tokens(self, source: Path) -> Path:
        return self._stage(
            "tokens", lambda to: add_tokens(source, to, self._bundle, self._settings.seed)
        )

    def stage_1(self, source: Path) -> Path:
        self._features(source)
        return self._stage("stage1", lambda to: self._identifiers(source, to), together=True)

    def stage_2(self, source: Path) -> Path:
        sets = self._stage("candidates", lambda to: self._retrieve(source, to))
        return self._stage("stage2", lambda to: self._verification(source, sets, to), together=True)

    def guide(self, source: Path) -> Path | None:
        """The projection of the bundle's guide, if it needs one."""
        if not needs_projection(self._manifest.guide):
            return None
        seen, seed = self._seen_in, self._settings.seed
        return self._stage(
            "guide", lambda to: learn_guide(self._bundle, source, seen, seed).save(to)
        )

    def _stage(self, name: str, make: Callable[[Path], None], *, together: bool = False) -> Path:
        """``together``: all processes make it, and the first one writes it."""
        return self._made(self.work / name, make, together=together)

    def _made(self, folder: Path, make: Callable[[Path], None], *, together: bool = False) -> Path:
        done = folder.exists()
        self.wait()
        if not done:
            unfinished = folder.with_name(f"{folder.name}.part")
            if self.is_first:
                self._report(f"training: {folder.name}")
                shutil.rmtree(unfinished, ignore_errors=True)
            transformers.set_seed(self._settings.seed)  # whatever was made before, in which process
            if together or self.is_first:
                make(unfinished)
            self.wait()
            if self.is_first:
                flush_all(unfinished)
                unfinished.rename(folder)
            self.wait()
        return folder

    def _load(
        self, source: Path, *, whole: bool = False
    ) -> tuple[Backbone, ProcessorMixin, PictureReader]:
        """``whole``: with the adapter, if there is one beside the model."""
        model, processor = load_model(source)
        adapter = adapter_of(source)
        if whole and adapter is not None:
            model = merge_adapter(model, adapter)
        return model, processor, picture_reader(processor, source, self._seen_in)

    def _features(self, source: Path) -> None:
        """What the frozen encoder sees of all pictures, if the model sees by one."""
        if has_frozen_vision(source):
            store = ItemStore(self._bundle / "items.sqlite", ())
            sources = [self._corpus.picture_source(one) for one in store if one.kind == "image"]
            store.close()
            self._made(self._seen_in, lambda to: write_features(sources, to))

    def _captions(self) -> Iterator[str]:
        return (item.caption for item in self._items if item.kind == "text")

    def _align(self, source: Path, to: Path) -> None:
        model, processor, read = self._load(source)
        captions = captions_of_pairs(self._items)
        images = (item for item in self._items if item.kind == "image")
        pictures = [(self._corpus.picture_source(one), captions[one.pair]) for one in images]
        if self._warm_up is not None:
            pictures += [
                (picture_source(self._warm_up.image_root, one.image), " ".join(one.captions))
                for one in self._warm_up.pictures
            ]
        settings = self._settings
        align(
            on_device(model),
            processor,
            pictures,
            read,
            settings.align_epochs,
            settings.align_learning_rate,
            settings.seed,
            embeddings=self._base.startswith("tiny"),
        )
        save_model(model, processor, to)

    def _describe(self, source: Path, to: Path) -> None:
        lesson = data_mix.describing(self._known, self._root, self._settings)
        self._fit(source, to, lesson, self._fit_settings(self._settings.describe_epochs))

    def _check(self, source: Path, to: Path) -> None:
        lesson = data_mix.checking(self._known, self._root, self._settings)
        own = self._fit_settings(self._settings.check_epochs)
        self._fit(source, to, lesson, own, keep_seeing)

    def _identifiers(self, source: Path, to: Path) -> None:
        settings = self._settings
        lesson = data_mix.spelling(self._known, self._root, settings, self._bundle)
        length = len(lesson.sampler)
        own = self._fit_settings(settings.samples / length or settings.epochs)
        self._fit(source, to, lesson, own, keep_comparing)

    def _retrieve(self, source: Path, to: Path) -> None:
        model, processor, read = self._load(source, whole=True)
        model = on_device(model)
        own = self._settings
        queries = choose_queries(self._fresh, own.gsv_queries, own.seed, own.gsv_told)
        sets = retrieve_candidates(model, processor, self._fresh, queries, self._root, read)
        if own.gsv_hard:
            encoder = Encoder(self._manifest.settings.encoder)
            sets = with_hard_negatives(queries, sets, self._fresh, encoder, own.gsv_hard)
        write_candidates(to, queries, sets)

    def _verification(self, source: Path, sets: Path, to: Path) -> None:
        own = self._settings.stage_2
        lesson = data_mix.verifying(sets, self._fresh, self._known, self._root, own, self._bundle)
        self._fit(source, to, lesson, FitSettings.of(own, own.epochs), keep_comparing)

    def seen(self) -> dict[str, int]:
        """Samples that each stage of the trainer has seen."""
        files = {name: self.work / f"{name}.seen" for name in _STAGES}
        return {name: int(file.read_text()) for name, file in files.items() if file.exists()}

    def _fit(
        self,
        source: Path,
        to: Path,
        lesson: Lesson,
        settings: FitSettings,
        keep: Callable[[Backbone], None] | None = None,
    ) -> None:
        """:func:`fit`, with a note of the samples seen; ``keep``: what is not to change, of a
        model that compares."""
        model, processor, read = self._load(source)
        if keep is not None and self._settings.keep_comparing:
            keep(model)
        seen = fit(
            model, processor, read, lesson.data, lesson.sampler, settings, to, adapter_of(source)
        )
        if self.is_first:
            write_whole(to.with_suffix(".seen"), str(seen))

    def _fit_settings(self, epochs: float) -> FitSettings:
        return FitSettings.of(self._settings, epochs)
