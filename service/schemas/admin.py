"""What the admin routes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from semcore.bundle.filter import MetadataFields
from semcore.clock import Clock
from semcore.kind import Direction
from semcore.plain_text import plain_text
from semcore.text import composed
from service.schemas.answer import EXAMPLE_PICTURE


def _words(caption: str) -> str:
    """As the offline job takes captions in, unless they have markup and URLs only."""
    return plain_text(caption) or composed(caption)


ItemId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Caption = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000),
    AfterValidator(_words),
]


class ReloadRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"bundle": "/data/bundle-2"}]}
    )

    bundle: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="folder of the bundle; the current one if left out",
    )


class ReloadAnswer(BaseModel):
    index_version: str
    previous_version: str
    counts: dict[str, int]
    canary: dict[Direction, float] = Field(description="recall at 10 of the canary queries")


class SetAside(BaseModel):
    """A change of an item that is kept, and cannot be shown by the current bundle."""

    id: str
    reason: str


class GuideReport(BaseModel):
    """The dual encoder whose cosines are evidence in searches."""

    encoder: str = Field(description="of texts; empty: the one installed")
    fingerprint: str
    picture_weight: float = Field(
        description="of a picture's look beside its captions; 0: of captions alone"
    )
    alone: bool = Field(description="it alone searches, since the bundle has no model yet")


class IndexReport(BaseModel):
    """One index."""

    version: str = Field(description="of all that can be found, changes since the bundle included")
    bundle: str
    bundle_version: str
    created: datetime = Field(description="when the bundle was made")
    corpus: str
    guide: GuideReport | None = Field(default=None, description="null of a bundle without a guide")
    counts: dict[str, int] = Field(description="of the bundle")
    added: int = Field(description="items added or replaced since")
    deleted: int = Field(description="items of the bundle deleted or replaced since")
    holds: Clock = Field(description="changes of items that the bundle holds")
    set_aside: list[SetAside] = Field(
        default=[],
        description="the first changes of items that cannot be shown; the next bundle "
        "is tried with them again",
    )
    set_aside_count: int = 0
    canary: dict[Direction, float] | None = Field(
        description="recall at 10 of the canary queries; null before they were asked"
    )


class LoadReport(BaseModel):
    """A bundle on its way in, or one that was refused."""

    bundle: str
    since: datetime
    stage: Literal["checking", "warming up", "asking the canary", "refused"]
    reason: str = ""


class IndexStatus(BaseModel):
    current: IndexReport
    previous: IndexReport | None = Field(description="what a rollback would bring back")
    loading: LoadReport | None
    failed: LoadReport | None = Field(description="the last load that was refused")
    journal: int = Field(description="number of the last change of the journal")
    read: Clock = Field(description="up to where the changes of all replicas were read")
    replicas: list[ReplicaReport] = Field(
        default=[], description="those that Redis knows of, this one included"
    )


class ReplicaReport(BaseModel):
    """A replica that was there a moment ago."""

    name: str
    index_version: str
    bundle: str
    journal: int = Field(description="number of the last change of its journal")
    holds: Clock = Field(
        default=Clock(), description="changes of items that all bundles hold that it may serve"
    )
    read: Clock = Field(
        default=Clock(), description="up to where it has read the changes of all replicas"
    )
    lost: str = Field(
        default="", description="why it may lack changes of items; empty: it does not"
    )
    ready: bool


class NewItem(BaseModel):
    """An item to add, in place of the one of the same id if there is one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "boats-17", "kind": "image", "captions": ["two red boats at night"],
                    "image": EXAMPLE_PICTURE, "metadata": {"year": 1990},
                }
            ]
        },
    )  # fmt: skip

    id: ItemId
    kind: Literal["image", "text"]
    captions: list[Caption] = Field(
        min_length=1,
        max_length=20,
        fail_fast=True,
        description="of an image: what its identifier is made of; of a text: the text alone",
    )
    image: Base64Bytes | None = Field(
        default=None, description="the picture's bytes in base64, for an image"
    )
    pair: ItemId | None = Field(
        default=None, description="id of the picture that it belongs to; its own if left out"
    )
    metadata: MetadataFields = Field(
        default={}, max_length=100, description="what filters are about"
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.kind == "image") != (self.image is not None):
            raise ValueError("an image needs 'image', the picture in base64; a text has none")
        if self.kind == "text" and len(self.captions) != 1:
            raise ValueError("a text has one caption, which is the text itself")
        return self


class AddRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    items: list[NewItem] = Field(min_length=1, max_length=100, fail_fast=True)


class ChangeAnswer(BaseModel):
    """Sent once the changes are on the disk and can be found."""

    index_version: str
    identifiers: dict[str, str] = Field(default={}, description="by id, of items that were added")
