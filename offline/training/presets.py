"""What a training is set to, by the model that it starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from semcore.model.prompt import LETTERS, GsvForm, Told

_LISTS = 4  # in a step, where a batch has as many samples


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Defaults are the paper's (A.1).

    Attributes:
        batch_size: samples a step and device.
        save_steps: steps from checkpoint to checkpoint.
        samples: of stage 1, in place of ``epochs``; 0 for these.
        image_repeats: how often a picture is a query in one epoch.
        image_answers: how many of its texts' identifiers a picture is asked for at a time; of
            several each is learned as if it were the only one, and the picture is read once.
        paraphrased: share of the words of text queries that are replaced by like ones.
        indexed: share of the items to be found, beyond the training split, whose own content is
            learned with their identifiers; they take the place of other samples. Only identifiers
            that say nothing of an item need it.
        index_repeats: how often each of them is learned in one epoch.
        gsv: how stage 2 asks: of each candidate whether it matches, or of a list which one does.
        gsv_told: what it tells of candidates that are pictures: their keywords, or the captions
            that these were made of; at small sizes a text can be judged where a picture cannot yet.
        gsv_queries: queries of each direction whose candidates stage 2 learns from; 0 for none.
        gsv_hard: candidates beside the retrieved ones that nearly match, for each query.
        gsv_rehearsal: samples of stage 1 in stage 2, for each candidate.
        gsv_held_out: share of the pairs that stage 1 does not see and stage 2 searches in, so that
            its candidates are as uncertain as those of new items; for small corpora, which stage 1
            knows by heart.
        lora_rank: 0 trains all weights.
        merge_adapter: whether the adapter ends merged in the weights, or lies beside them.
        align_epochs: epochs of acquainting pictures with words; only for unpretrained models.
        describe_epochs: epochs, over the pictures, of writing their captions; only for language
            models that were pretrained without pictures.
        describe_rehearsal: such samples in stage 1, for each picture.
        check_epochs: epochs, over the texts, of asking at each word whether it is true of a
            picture; only for models acquainted with words so.
        check_rehearsal: such samples in stage 1, for each text; stage 2 asks at each word as well.
        keep_comparing: whether the vision side stays as the acquaintance left it, and the first
            layer's attention, which was set to compare, as the checks left it.
    """

    epochs: float = 5.0
    batch_size: int = 4
    save_steps: int = 500
    learning_rate: float = 4e-5
    samples: int = 0
    image_repeats: int = 5
    image_answers: int = 1
    paraphrased: float = 0.0
    indexed: float = 0.0
    index_repeats: int = 4
    gsv_epochs: float = 1.0
    gsv: GsvForm = "pointwise"
    gsv_told: Told = "keywords"
    gsv_queries: int = 20_000
    gsv_hard: int = 0
    gsv_learning_rate: float = 4e-5
    gsv_rehearsal: float = 1.0
    gsv_held_out: float = 0.0
    lora_rank: int = 0
    merge_adapter: bool = True
    align_epochs: float = 0.0
    describe_epochs: float = 0.0
    describe_rehearsal: float = 0.0
    check_epochs: float = 0.0
    check_rehearsal: float = 0.0
    keep_comparing: bool = False
    align_learning_rate: float = 2e-3
    warmup_steps: int = 60
    seed: int = 0

    @property
    def checks(self) -> bool:
        """Whether it is asked at each word in verification, too."""
        return self.check_epochs > 0 or self.check_rehearsal > 0

    @property
    def stage_2(self) -> TrainSettings:
        """The same with what stage 2 has in place of stage 1. A list is as long as its candidates
        together, so a step has fewer of them, but no fewer than the paper's batch of four."""
        size = self.batch_size
        if self.gsv == "listwise":
            size = min(size, max(_LISTS, size // len(LETTERS)))
        return replace(
            self, batch_size=size, epochs=self.gsv_epochs, learning_rate=self.gsv_learning_rate
        )


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
    keep_comparing=True,
)
SMALL = TrainSettings(
    epochs=1.0,
    batch_size=16,
    save_steps=100,
    learning_rate=5e-4,
    image_answers=5,
    gsv_queries=1000,
    gsv_learning_rate=1e-4,
    gsv_held_out=0.1,
    align_epochs=10.0,
    align_learning_rate=1e-3,
    describe_epochs=1.0,
    describe_rehearsal=1.0,
)


@dataclass(frozen=True, slots=True)
class Preset:
    """A base (what :func:`offline.training.stages.train_model` takes) and how to train it."""

    base: str
    settings: TrainSettings


def _backbones() -> dict[str, Preset]:
    """The sizes of the paper's table 4, all weights and LoRA."""
    presets = {}
    for size, rate in (("1B", 4e-5), ("2B", 4e-5), ("4B", 2e-5), ("8B", 2e-5)):
        base = f"OpenGVLab/InternVL3_5-{size}-HF"
        whole = TrainSettings(learning_rate=rate, gsv_learning_rate=rate)
        presets[size.lower()] = Preset(base, whole)
        adapted = replace(whole, lora_rank=64, learning_rate=1e-4, gsv_learning_rate=1e-4)
        presets[f"{size.lower()}-lora"] = Preset(base, adapted)
    return presets


PRESETS = {"tiny": Preset("tiny", TINY), "small": Preset("small", SMALL), **_backbones()}
"""By name: the bases that the product itself makes, and the backbones of the paper's sizes."""


def preset(base: str, **settings: Any) -> Preset:
    """That of a name, or the paper's settings for any other checkpoint; with these in place of its
    own."""
    found = PRESETS.get(base, Preset(base, TrainSettings()))
    return replace(found, settings=replace(found.settings, **settings))
