"""Changes of items: what a service writes to its journal, and replicas tell each other."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from semcore.bundle.filter import MetadataFields
from semcore.bundle.item import ADDED, Item
from semcore.clock import Position
from semcore.file_name import FileNameOrNone
from semcore.identifiers.identifier import Identifier
from semcore.kind import Kind


class Entry(BaseModel):
    """An item as it was added.

    Attributes:
        pair: the picture that it belongs to.
        captions: what the identifier of a picture is made of, or the one text itself.
        image: name of the picture's file in the folder of pictures; empty for a text.
        identifier: as text, made with the clusters of the bundle that served.
        clusters: fingerprint of these clusters.
        vector: what the guide of the bundle that served made of it, int8 in base64; "" where there
            was none.
        guide: fingerprint of this guide.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    kind: Literal["image", "text"]
    pair: str
    captions: tuple[str, ...]
    image: FileNameOrNone
    metadata: MetadataFields
    identifier: str
    clusters: str
    vector: str = ""
    guide: str = ""

    def vector_for(
        self, guide: str, encode: Callable[[Entry], NDArray[np.int8]]
    ) -> NDArray[np.int8]:
        """The guide's vector in an index, int8 [dimension], made anew where the guide is another
        than it was.

        Args:
            guide: fingerprint of the index's guide.
            encode: makes a vector by it.
        """
        if self.vector and self.guide == guide:
            return np.frombuffer(base64.b64decode(self.vector), dtype=np.int8)
        return encode(self)

    def item(self, identifier: str | None = None) -> Item:
        """The item, with another identifier where the clusters have become others."""
        kind: Kind = self.kind
        return Item(
            self.id, kind, ADDED, self.pair, False, " ".join(self.captions), self.image,
            identifier or self.identifier, metadata=self.metadata,
        )  # fmt: skip

    def item_for(self, clusters: str, name: Callable[[Kind, Sequence[str]], Identifier]) -> Item:
        """The item in an index, named anew where the clusters are others than they were.

        Args:
            clusters: fingerprint of the index's clusters.
            name: names an item by them, see :meth:`semcore.identifiers.naming.Namer.name`.
        """
        if self.clusters == clusters:
            return self.item()
        return self.item(name(self.kind, self.captions).text)


@dataclass(frozen=True, slots=True)
class Change:
    """An item was added or replaced, or (no ``entry``) deleted."""

    id: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class ToldChange:
    """A change in the order that all replicas share.

    Attributes:
        origin, number: the journal that wrote it first, and its number there: what names it.
        key: its place in the order. Of two changes of an item the one with the later key counts.
        arrival: where it was read in the stream: later than ``key`` where a replica has told it
            once more, since a stream was lost.
    """

    origin: str
    number: int
    key: Position
    arrival: Position
    change: Change
