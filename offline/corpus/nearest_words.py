"""Captions of pictures that have none, from the pictures themselves: the nearest words, by an
encoder that sees."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from offline.corpus.corpus import Corpus
from offline.image_inputs import opened_pictures
from semcore.errors import CorpusError
from semcore.identifiers.encoder import Encoder
from semcore.identifiers.keywords import word_vectorizer
from semcore.model.eyesight import FROZEN
from semcore.pictures.picture_source import picture_source

_WORDS = 8  # of a caption
_FEWEST = 200  # words of a corpus that are a vocabulary of their own
_PROMPT = "a photo of a {}"
# As tokenizers mark the beginnings and ends of words.
_WHOLE = re.compile("[▁Ġ]?([a-z]{3,})(?:</w>)?")


def caption_by_words(corpus: Corpus, encoder: Encoder) -> Corpus:
    """The corpus with a generated caption for each picture that has none: the eight words that are
    nearest to it, nearest first.

    The words are those of the corpus's captions, where it has 200 of them, or else those that the
    encoder's tokenizer has whole. As CLIP is asked for classes (Radford et al., 2021), each is
    encoded as "a photo of a WORD".

    Raises:
        CorpusError: the encoder does not see, or there are no words.
        PictureError: a picture cannot be read.
    """
    silent = [picture for picture in corpus.pictures if not picture.sources]
    if not silent:
        return corpus
    if not encoder.sees:
        raise CorpusError(
            f"the picture {silent[0].id} has no caption{_passed_over(corpus)}; name a model that "
            "writes one with --captioner, or with --guide an encoder that sees, such as CLIP"
        )
    words = _vocabulary(corpus, encoder)
    vectors = encoder.encode([_PROMPT.format(word) for word in words])
    found: dict[str, str] = {}
    sources = [picture_source(corpus.image_root, picture.image) for picture in silent]
    names = iter(silent)
    for chunk in opened_pictures(sources, FROZEN):
        for near in encoder.encode_images(chunk) @ vectors.T:
            best = np.argsort(-near, kind="stable")[:_WORDS]
            found[next(names).id] = " ".join(words[at] for at in best)
    return replace(
        corpus,
        pictures=[
            replace(picture, generated=found.get(picture.id, "")) for picture in corpus.pictures
        ],
    )


def _passed_over(corpus: Corpus) -> str:
    told = "; ".join(corpus.passed_over)
    return f" (files that were passed over: {told})" if told else ""


def _vocabulary(corpus: Corpus, encoder: Encoder) -> Sequence[str]:
    try:
        captions = [caption for one in corpus.pictures for caption in one.sources]
        told = [str(word) for word in word_vectorizer(captions).get_feature_names_out()]
    except ValueError:  # there are none
        told = []
    if len(told) >= _FEWEST:
        return told
    tokens: Sequence[str] = sorted(encoder.model.tokenizer.get_vocab())
    whole = {match[1] for token in tokens if (match := _WHOLE.fullmatch(token))}
    words = sorted({*told, *whole} - ENGLISH_STOP_WORDS)
    if not words:
        raise CorpusError(
            "no caption has a word, and the encoder's tokenizer has none either; name a model with "
            "--captioner"
        )
    return words
