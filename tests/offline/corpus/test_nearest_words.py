"""A picture without a caption gets the words that are nearest to it, if the encoder sees."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from offline.corpus.corpus import Corpus
from offline.corpus.nearest_words import caption_by_words
from offline.corpus.picture import Picture
from semcore.errors import CorpusError
from semcore.identifiers.encoder import Encoder, Vectors

SILENT = [Picture("r.png", "r.png", "train", ()), Picture("b.png", "b.png", "train", ())]


class Seeing(Encoder):
    """Sees a red picture as "a photo of a rose", any other one as "a photo of a river"."""

    sees = True  # type: ignore[assignment]

    def encode_images(self, images: object) -> Vectors:
        assert isinstance(images, list)
        reds = [np.asarray(image)[0, 0, 0] > 100 for image in images]
        return self.encode([f"a photo of a {'rose' if red else 'river'}" for red in reds])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, colour in (("r.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / name)
    return tmp_path


def test_words_of_the_tokenizer_serve_where_captions_have_few(folder: Path) -> None:
    told = Picture("t.png", "t.png", "train", ("a zyzzyva",))
    found = caption_by_words(Corpus("c", str(folder), [*SILENT, told], []), Seeing())
    red, blue, same = found.pictures
    assert same == told
    assert red.generated.split()[0] == "rose"
    assert blue.generated.split()[0] == "river"
    assert all(len(one.generated.split()) == 8 and one.sources for one in (red, blue))


def test_words_of_the_corpus_serve_where_there_are_enough(folder: Path) -> None:
    letters = "abcdefghijklmnop"
    words = [f"{one}{other}word" for one in letters for other in letters]
    told = Picture("t.png", "t.png", "train", (" ".join(words), "more"), source_captions=1)
    found = caption_by_words(Corpus("c", str(folder), [*SILENT, told], []), Seeing())
    assert set(found.pictures[0].generated.split()) <= set(words)


def test_an_encoder_of_texts_cannot_help(folder: Path) -> None:
    corpus = Corpus("c", str(folder), SILENT, [])
    with pytest.raises(
        CorpusError, match=r"r\.png has no caption; .* --captioner, or with --guide"
    ):
        caption_by_words(corpus, Encoder())
    captioned = Corpus("c", str(folder), [Picture("a", "a", "train", ("x",))], [])
    assert caption_by_words(captioned, Encoder()) is captioned
