"""What is sent to be re-ranked: texts, pictures and items, read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from semcore.bundle.item import Item
from semcore.model.prompt import excerpt
from service.errors import (
    BadImageError,
    ImageTooLargeError,
    InvalidQueryError,
    NotFoundError,
    RequestError,
)
from service.index.snapshot import Snapshot
from service.schemas.rerank import RerankInput
from service.search.query_image import Upload, check_upload, read_inline
from service.search.request import checked_text
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Given:
    """A query, or a document.

    Attributes:
        text: as much as the model is told of it; "" of a picture by itself.
        upload: the picture that was sent.
        item: the item that it is; its text is what it was named by.
        number: of the item.
    """

    text: str
    upload: Upload | None = None
    item: Item | None = None
    number: int | None = None

    @property
    def has_picture(self) -> bool:
        return self.upload is not None or (self.item is not None and self.item.kind == "image")


def read_query(query: str | RerankInput, snapshot: Snapshot, settings: Settings) -> Given:
    """Raises:
    InvalidQueryError: it has a text and a picture, no words, or more than the settings allow.
    NotFoundError: there is no such item.
    BadImageError, ImageTooLargeError: its picture cannot be taken.
    """
    told = query if isinstance(query, str) else query.text
    if told is None:
        with named("query"):
            return _read(query, snapshot, settings)
    if not isinstance(query, str) and query.image is not None:
        raise InvalidQueryError("query: send either a text, or an image")
    return Given(checked_text(told, settings))


def read_documents(
    documents: Sequence[str | RerankInput], snapshot: Snapshot, settings: Settings
) -> list[Given]:
    """Raises:
    NotFoundError: there is no such item.
    InvalidQueryError, BadImageError, ImageTooLargeError: a picture cannot be taken.
    """
    found = []
    for number, document in enumerate(documents, start=1):
        with named(place_of(number)):
            found.append(_read(document, snapshot, settings))
    return found


def place_of(number: int) -> str:
    """Of the query, which is number 0, and of the documents, which follow."""
    return f"documents.{number - 1}" if number else "query"


@contextmanager
def named(place: str) -> Iterator[None]:
    """Errors say what they are about: "query", or a document by its place."""
    try:
        yield
    except (BadImageError, ImageTooLargeError, InvalidQueryError, NotFoundError) as error:
        kind: type[RequestError] = type(error)
        raise kind(f"{place}: {error}") from error


def _read(given: str | RerankInput, snapshot: Snapshot, settings: Settings) -> Given:
    if isinstance(given, str):
        return Given(excerpt(given))
    if given.id is not None:
        number = snapshot.number(given.id)
        if number is None:
            raise NotFoundError(f"there is no item {given.id!r}")
        (item,) = snapshot.items([number])
        return Given(excerpt(item.caption), None, item, number)
    upload = None if given.image is None else _upload(given.image, settings)
    return Given(excerpt(given.text or ""), upload)


def _upload(image: str, settings: Settings) -> Upload:
    content = read_inline(image, settings.max_image_bytes)
    return check_upload(content, settings.max_image_pixels)
