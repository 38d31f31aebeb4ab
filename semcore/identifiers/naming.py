"""Naming: new items get the identifiers that the offline job would have given them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semcore.bundle.bundle import SettingsRecord
from semcore.errors import BundleError
from semcore.identifiers.clusters import Clusters
from semcore.identifiers.encoder import Encoder, mean_vectors
from semcore.identifiers.identifier import Identifier
from semcore.identifiers.keywords import KeywordRanker, extract_keywords, word_vectorizer
from semcore.kind import Kind

_SCHEME = "sid"


class Namer:
    """Names items by the clusters of a bundle; safe to use from several threads."""

    def __init__(
        self, bundle: Path, settings: SettingsRecord, encoder: Encoder | None = None
    ) -> None:
        """Loads the sentence encoder, unless it is given.

        Raises :class:`BundleError` if the bundle's identifiers are of a kind that only the offline
        job can give, or its clusters cannot be read.
        """
        if settings.scheme != _SCHEME:
            raise BundleError(
                f"{bundle} has identifiers of the scheme {settings.scheme!r}, which new items do "
                "not have without the offline job; build the bundle again with them"
            )
        self._settings = settings
        self._clusters = Clusters.load(bundle)
        self.encoder = encoder or Encoder(settings.encoder)

    def name(self, kind: Kind, captions: Sequence[str]) -> Identifier:
        """The identifier of one item: nearest cluster, then keywords (paper 3.2).

        Args:
            captions: what a picture's identifier is made of, or the one text itself.
        """
        settings, document = self._settings, " ".join(captions)
        keywords: tuple[str, ...] = ()
        with self.encoder.lock:
            vectors = mean_vectors(self.encoder.encode(list(captions)), [len(captions)])
            assignment = self._clusters.assign(vectors)
            try:
                vectorizer = word_vectorizer([document])
            except ValueError:
                pass  # it has no word of use, and the cluster is all
            else:
                (keywords,) = extract_keywords(
                    KeywordRanker.of(self.encoder, vectorizer, settings.keywords),
                    [document],
                    vectors,
                    assignment,
                    self._clusters.words,
                    vectorizer,
                    settings.image_order if kind == "image" else settings.text_order,
                    self._clusters.frequencies,
                )
        return Identifier(int(assignment[0]), keywords)
