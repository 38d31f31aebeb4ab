"""What was encoded once is not encoded again, in this build or in a later one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from offline.identifiers.kept_vectors import KeepingEncoder
from semcore.identifiers.encoder import Encoder, Vectors

RED, BLUE = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))


class Counting(Encoder):
    """Tells what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[object] = []

    def encode(self, texts: list[str]) -> Vectors:
        self.asked.append(texts)
        return super().encode(texts)

    def encode_images(self, images: object) -> Vectors:
        assert isinstance(images, list)
        self.asked.append(images)
        return np.array([[np.asarray(one)[0, 0, 0]] * 384 for one in images], dtype=np.float32)


@pytest.fixture(scope="module")
def encoder() -> Counting:
    return Counting()


def test_a_later_build_encodes_what_is_new(encoder: Counting, tmp_path: Path) -> None:
    encoder.asked.clear()
    first = KeepingEncoder(encoder, tmp_path).encode(["a boat", "a lamp", "a boat"])
    second = KeepingEncoder(encoder, tmp_path).encode(["a lamp", "a bird", "a boat"])
    assert encoder.asked == [["a boat", "a lamp"], ["a bird"]]
    np.testing.assert_array_equal(second[[2, 0, 2]], first)
    np.testing.assert_array_equal(second[1], encoder.encode(["a bird"])[0])


def test_pictures_are_known_by_their_pixels(encoder: Counting, tmp_path: Path) -> None:
    encoder.asked.clear()
    keeping = KeepingEncoder(encoder, tmp_path)
    first = keeping.encode_images([RED, BLUE])
    again = keeping.encode_images([BLUE.copy(), RED.resize((2, 8))])
    assert [len(asked) for asked in encoder.asked if isinstance(asked, list)] == [2, 1]
    assert (first[:, 0].tolist(), again[:, 0].tolist()) == ([255, 0], [0, 255])


def test_nothing_is_asked_of_nothing(encoder: Counting, tmp_path: Path) -> None:
    assert len(KeepingEncoder(encoder, tmp_path).encode(["x"])) == 1
    assert KeepingEncoder(encoder, tmp_path).name == encoder.name


def test_the_oldest_go_first(encoder: Counting, tmp_path: Path) -> None:
    keeping = KeepingEncoder(encoder, tmp_path, most=2)
    keeping.encode(["one"])
    keeping.encode(["two", "three"])
    encoder.asked.clear()
    keeping.encode(["two", "three", "one"])
    assert encoder.asked == [["one"]]


def test_another_encoder_has_vectors_of_its_own(encoder: Counting, tmp_path: Path) -> None:
    KeepingEncoder(encoder, tmp_path).encode(["a boat"])
    other = Counting()
    for tensor in other.model.state_dict().values():
        if tensor.is_floating_point():
            tensor.mul_(1.5)
    encoder.asked.clear()
    KeepingEncoder(other, tmp_path).encode(["a boat"])
    assert other.asked == [["a boat"]]
    assert len(list(tmp_path.iterdir())) == 2
