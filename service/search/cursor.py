"""Cursors: where the next page of an answer begins, and of which answer."""

from __future__ import annotations

import base64
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import InvalidQueryError, StaleCursorError


class Cursor(BaseModel):
    """Attributes:
    offset: how many items were given before.
    version: of the index that gave them.
    query: fingerprint of what was asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    offset: int = Field(ge=1)
    version: str
    query: str

    @classmethod
    def read(cls, text: str, version: str, query: str) -> Self:
        """A cursor for the next page of this query on this index.

        Raises:
            InvalidQueryError: it is none of ours, or one of another query.
            StaleCursorError: the index has changed.
        """
        try:
            found = cls.model_validate_json(base64.urlsafe_b64decode(text.encode()))
        except (ValueError, ValidationError) as error:
            raise InvalidQueryError("the cursor is none; send that of the answer before") from error
        if found.query != query:
            raise InvalidQueryError("the cursor is of another query; send both as before")
        if found.version != version:
            raise StaleCursorError("the index has changed since the page before; begin anew")
        return found

    @property
    def text(self) -> str:
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).decode()
