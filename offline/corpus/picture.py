"""Pictures of a corpus with their captions, and which of these are fair queries."""

from __future__ import annotations

from dataclasses import dataclass, field

from semcore.bundle.filter import Metadata

SPLITS = ("train", "val", "test")
SPLIT_NAMES = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
"""What other tools call the splits."""
SOURCE_CAPTIONS = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    Attributes:
        id: its key in the corpus: the one that its row gives, or else its path below the deepest
            folder that all pictures lie in.
        image: where it lies below the corpus's image root
            (:func:`semcore.pictures.picture_source.picture_source`).
        metadata: those of its texts as well.
    """

    id: str
    image: str
    split: str
    captions: tuple[str, ...]
    generated: str = ""
    source_captions: int = SOURCE_CAPTIONS
    metadata: Metadata = field(default_factory=dict, hash=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The captions that the picture's identifier is made of (:func:`held_out_rule`)."""
        if self.generated:
            return (self.generated,)
        return self.captions[: max(1, min(self.source_captions, len(self.captions) - 1))]


def text_id(picture_id: str, number: int) -> str:
    """The id of one of a picture's captions."""
    return f"{picture_id}#{number}"


def held_out_rule(source_captions: int) -> str:
    """Which captions are fair queries, in words that a bundle carries."""
    return (
        f"The identifier of a picture is made of its first {source_captions} captions (of all but "
        "one where there are no more than that); its other captions are held out, and only those "
        "are queries in tests. A generated caption is the only source where there is one."
    )
