"""Pictures of noise, which no format makes small."""

import io

from PIL import Image


def encoded(form: str, size: tuple[int, int] = (300, 200), **options: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, form, **options)
    return out.getvalue()
