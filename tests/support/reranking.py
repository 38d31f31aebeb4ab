"""Pictures and requests of re-ranking."""

import base64
import io
from typing import Any

from PIL import Image

from service.schemas.rerank import RerankRequest


def picture(colour: str = "red", size: tuple[int, int] = (16, 16)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def inline(colour: str = "red") -> str:
    """A picture in base64."""
    return base64.b64encode(picture(colour)).decode()


def asking(query: Any, documents: list[Any], **more: Any) -> RerankRequest:
    return RerankRequest.model_validate({"query": query, "documents": documents, **more})
