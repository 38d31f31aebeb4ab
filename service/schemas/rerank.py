"""What goes in and out of re-ranking, in the form that Cohere, Jina and vLLM share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from service.schemas.answer import EXAMPLE_PICTURE

MOST_DOCUMENTS = 100
"""Documents of one request."""

ScoredBy = Literal["verification", "guide"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class RerankInput(BaseModel):
    """A text, a picture, a picture with the text that describes it, or an item of the index."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Text | None = None
    image: str | None = Field(
        default=None, min_length=1, description="a picture's bytes in base64, or as a data URL"
    )
    id: str | None = Field(
        default=None, min_length=1, max_length=1000, description="of an item of the index"
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.id is None) == (self.text is None and self.image is None):
            raise ValueError("send a text, an image, or the id of an item")
        return self


def _form(said: object) -> str:
    return "text" if isinstance(said, str) else "input"


TextOrInput = Annotated[
    Annotated[Text, Tag("text")] | Annotated[RerankInput, Tag("input")], Discriminator(_form)
]


class RerankRequest(BaseModel):
    """Other fields, which other services take, are ignored."""

    model_config = ConfigDict(
        extra="ignore",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "query": "two red boats at night",
                    "documents": [{"image": EXAMPLE_PICTURE}, {"id": "0001234"}],
                    "top_n": 1,
                }
            ]
        },
    )

    model: str | None = Field(
        default=None,
        max_length=200,
        description="any: the index has one, and the answer repeats it",
    )
    query: TextOrInput
    documents: list[TextOrInput] = Field(min_length=1, max_length=MOST_DOCUMENTS, fail_fast=True)
    top_n: int | None = Field(
        default=None, ge=0, description="best documents wanted; 0 or left out: all of them"
    )
    return_documents: bool = Field(default=False, description="repeat each document in its result")
    timeout_ms: int | None = Field(
        default=None,
        ge=1,
        le=600_000,
        description="milliseconds until the answer has to be there; the service's if left out",
    )


class RerankedDocument(BaseModel):
    """A document as it was sent."""

    text: str | None = None
    image: str | None = None
    id: str | None = None


class RerankResult(BaseModel):
    index: int = Field(description="place of the document in the request, from 0")
    relevance_score: float = Field(
        description="0 to 1: the probability that it matches, or, by the guide, (1 + cosine) / 2"
    )
    document: RerankedDocument | None = Field(
        default=None, description="where the documents were asked for"
    )


class RerankUsage(BaseModel):
    """Tokens that the model has read, a picture as one; 0 where the guide has compared."""

    prompt_tokens: int
    total_tokens: int


class RerankAnswer(BaseModel):
    id: str = Field(description="of the answer")
    model: str
    results: list[RerankResult] = Field(description="best first")
    usage: RerankUsage
    scored_by: ScoredBy = Field(
        description="what the scores are: the model's verification, or the guide's cosines"
    )
    index_version: str
