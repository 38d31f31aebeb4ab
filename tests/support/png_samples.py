"""PNG, written by hand: every colour type and depth."""

import random
import struct
import zlib

import numpy as np
from picture_sample import Sample, Samples, drawing, exif


def png(
    samples: Samples,
    colour: int,
    depth: int,
    *,
    before: list[tuple[bytes, bytes]] | None = None,
    body: list[tuple[bytes, bytes]] | None = None,
) -> bytes:
    """A PNG of samples [height, width, bands]."""
    height, width = samples.shape[:2]
    if depth == 16:
        rows = samples.astype(">u2").reshape(height, -1).view(np.uint8)
    elif depth == 8:
        rows = samples.astype(np.uint8).reshape(height, -1)
    else:
        bits = (samples.reshape(height, -1, 1) >> np.arange(depth - 1, -1, -1)) & 1
        rows = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *(before or []), *(body or [(b"IDAT", zlib.compress(data))])]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, [*chunks, (b"IEND", b"")]))


def _chunk(one: tuple[bytes, bytes]) -> bytes:
    name, data = one
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_sample(rng: random.Random) -> Sample:
    colour, depth = rng.choice(
        [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (4, 16), (6, 8), (6, 16)]
    )
    bands = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    samples = drawing(rng, bands, 2**depth - 1)
    before = []
    key = ""
    if colour in (0, 2) and rng.random() < 0.6:
        y, x = rng.randrange(samples.shape[0]), rng.randrange(samples.shape[1])
        before.append((b"tRNS", samples[y, x].astype(">u2").tobytes()))
        key = " key"
    if rng.random() < 0.2:
        before.insert(0, (b"gAMA", struct.pack(">I", rng.choice([45455, 100000, 55000]))))
        key += " gamma"
    if rng.random() < 0.2:
        orientation = rng.randrange(1, 9)
        before.append((b"eXIf", exif(orientation)[6:]))
        key += f" {orientation}"
    return Sample(f"PNG {colour}/{depth}{key}", png(samples, colour, depth, before=before))


def png_palette_sample(rng: random.Random) -> Sample:
    depth = rng.choice([1, 2, 4, 8])
    samples = drawing(rng, 1, 2**depth - 1)
    palette = bytes(rng.randrange(256) for _ in range(3 * 2**depth))
    before = [(b"PLTE", palette)]
    kind = rng.choice(["opaque", "key", "alpha", "short"])
    if kind == "key":
        alpha = bytearray(b"\xff" * 2**depth)
        alpha[rng.randrange(len(alpha))] = 0
        before.append((b"tRNS", bytes(alpha)))
    elif kind != "opaque":
        most = 2**depth if kind == "alpha" else rng.randrange(1, 2**depth + 1)
        before.append((b"tRNS", bytes(rng.randrange(256) for _ in range(most))))
    return Sample(f"PNG palette/{depth} {kind}", png(samples, 3, depth, before=before))


def apng_sample(rng: random.Random) -> Sample:
    """With a picture for those who show no animations, or without."""
    first = drawing(rng, 4)
    second = np.roll(first, 3, axis=1)
    height, width = first.shape[:2]

    def control(number: int) -> tuple[bytes, bytes]:
        return b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 60, 1, 0, 0)

    def data(frame: Samples) -> bytes:
        rows = frame.astype(np.uint8).reshape(height, -1)
        return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))

    animation = (b"acTL", struct.pack(">II", 2, 0))
    if rng.random() < 0.5:
        body = [
            animation, (b"IDAT", data(255 - first)),
            control(0), (b"fdAT", struct.pack(">I", 1) + data(first)),
            control(2), (b"fdAT", struct.pack(">I", 3) + data(second)),
        ]  # fmt: skip
        return Sample("APNG default", png(first, 6, 8, body=body))
    body = [
        animation, control(0), (b"IDAT", data(first)),
        control(1), (b"fdAT", struct.pack(">I", 2) + data(second)),
    ]  # fmt: skip
    return Sample("APNG", png(first, 6, 8, body=body))
