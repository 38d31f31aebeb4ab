"""Presets keep what is not said otherwise."""

from offline.training.presets import PRESETS, TrainSettings, preset


def test_what_is_given_takes_the_place_of_the_preset() -> None:
    assert preset("1b-lora").settings.lora_rank == 64
    assert preset("1b-lora", epochs=1.0).settings.lora_rank == 64
    adapted = preset("1b-lora", lora_rank=0, epochs=1.0)
    assert (adapted.settings.lora_rank, adapted.settings.epochs) == (0, 1.0)
    assert adapted.base == PRESETS["1b-lora"].base
    assert PRESETS["1b-lora"].settings.lora_rank == 64


def test_a_step_of_lists_has_fewer_of_them() -> None:
    assert preset("tiny").settings.stage_2.batch_size == 32
    sizes = {size: preset("tiny", gsv="listwise", batch_size=size) for size in (2, 4, 32, 80)}
    assert [one.settings.stage_2.batch_size for one in sizes.values()] == [2, 4, 4, 8]
    tiny = preset("tiny").settings
    assert (tiny.stage_2.epochs, tiny.stage_2.learning_rate) == (1.0, tiny.gsv_learning_rate)


def test_another_checkpoint_has_the_settings_of_the_paper() -> None:
    other = preset("some/checkpoint", batch_size=2)
    assert other.base == "some/checkpoint"
    assert other.settings == TrainSettings(batch_size=2)
