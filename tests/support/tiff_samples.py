"""TIFF, written by hand, which no browser shows: the samples tell what is right."""

import random
import struct

import numpy as np
from picture_sample import Sample, Samples, drawing, on_white, turned


def tiff(
    samples: Samples,
    photometric: int,
    depth: int,
    *,
    orientation: int = 1,
    extra: int | None = None,
    order: str = "<",
    palette: Samples | None = None,
    kind: int = 1,
    tile: int | None = None,
) -> bytes:
    """A TIFF of one strip, uncompressed, of samples [height, width, bands]; or, it says, of tiles
    with so many pixels a side."""
    height, width, bands = samples.shape
    if depth == 1:
        data = np.packbits(samples.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    else:
        letter = "f" if kind == 3 else "u"
        data = samples.astype(f"{order}{letter}{depth // 8}").tobytes()
    fields: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]), (257, "I", [height]), (258, "H", [depth] * bands), (259, "H", [1]),
        (262, "H", [photometric]), (273, "I", [8]), (274, "H", [orientation]),
        (277, "H", [bands]), (278, "I", [height]), (279, "I", [len(data)]), (284, "H", [1]),
    ]  # fmt: skip
    if palette is not None:
        fields.append((320, "H", palette.T.reshape(-1).tolist()))
    if extra is not None:
        fields.append((338, "H", [extra]))
    fields.append((339, "H", [kind] * bands))
    if tile is not None:
        fields = [one for one in fields if one[0] not in (273, 278, 279)]
        fields += [(322, "I", [tile]), (323, "I", [tile]), (324, "I", [8]), (325, "I", [len(data)])]
        fields.sort()
    data += b"\0" * (len(data) % 2)
    at = 8 + len(data)
    behind, entries = b"", b""
    after = at + 2 + 12 * len(fields) + 4
    for tag, letter, values in fields:
        packed = struct.pack(f"{order}{len(values)}{letter}", *values)
        code = 3 if letter == "H" else 4
        if len(packed) > 4:
            value = struct.pack(order + "I", after + len(behind))
            behind += packed
        else:
            value = packed.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, code, len(values)) + value
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return head + data + struct.pack(order + "H", len(fields)) + entries + b"\0" * 4 + behind


def tiff_sample(rng: random.Random) -> Sample:
    order, orientation = rng.choice("<>"), rng.randrange(1, 9)
    kind = rng.choice(["1", "1 inverted", "8", "8 inverted", "16", "16 inverted", "rgb", "rgb 16",
                       "alpha", "premultiplied", "palette", "cmyk", "32", "float"])  # fmt: skip
    options: dict[str, object] = {"order": order, "orientation": orientation}
    if kind in ("32", "float"):
        samples = drawing(rng, 1, 2**31)
        content = tiff(samples, 1, 32, kind=3 if kind == "float" else 1, **options)
        white = np.full((*samples.shape[:2], 3), 255, np.uint8)
        return Sample(f"TIFF {kind}", content, turned(white, orientation), 0.0, refusable=True)
    depth = {"1": 1, "16": 16}.get(kind.split()[0], 8) if kind != "rgb 16" else 16
    top = 2**depth - 1
    bands = {"rgb": 3, "alpha": 4, "premultiplied": 4, "cmyk": 4}.get(kind.split()[0], 1)
    samples = drawing(rng, bands, top)
    photometric = {"rgb": 2, "alpha": 2, "premultiplied": 2, "cmyk": 5, "palette": 3}.get(
        kind.split()[0], 0 if "inverted" in kind else 1
    )
    shown = samples * 255 / top
    if "inverted" in kind:
        shown = 255 - shown
    if kind == "alpha":
        shown = on_white(samples[..., :3], samples[..., 3])
        options["extra"] = 2
    elif kind == "premultiplied":
        alpha = samples[..., 3:]
        samples = np.concatenate([np.minimum(samples[..., :3], alpha), alpha], axis=-1)
        shown = samples[..., :3] + 255 - alpha
        options["extra"] = 1
    elif kind == "cmyk":
        shown = (255 - samples[..., :3]) * (255 - samples[..., 3:]) / 255
    elif kind == "palette":
        palette = np.array([[rng.randrange(256) * 257 for _ in range(3)] for _ in range(256)])
        shown = palette[samples[..., 0]] / 257
        options["palette"] = palette
    content = tiff(samples, photometric, depth, **options)
    told = np.rint(np.broadcast_to(shown, (*shown.shape[:2], 3))).astype(np.uint8)
    is_odd = kind == "16 inverted" and order == ">"  # which Pillow does not know
    name = f"TIFF {kind} {orientation}"
    return Sample(name, content, turned(told, orientation), refusable=is_odd)
