"""Pictures of all formats, modes, depths, orientations and damages, made from a seed.

What a viewer shows of those that a browser does not know is told as pixels, worked out from the
samples that were written; nothing here reads pictures.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms

Samples = NDArray[np.integer]
JPEG, WEBP = {"quality": 95, "subsampling": 0}, {"lossless": True, "exact": True}


@dataclass(frozen=True)
class Sample:
    """Attributes:
    kind: what it is one of.
    shown: what a viewer shows, uint8 [height, width, 3]; None: ask a browser.
    tolerance: mean difference of samples that codecs may have between them.
    refusable: a refusal is right as well.
    is_judged: a browser shows it right, if it shows it.
    """

    kind: str
    content: bytes
    shown: Samples | None = None
    tolerance: float = 1.0
    refusable: bool = False
    is_judged: bool = True


def sample(number: int) -> Sample:
    """The same for the same number; the kinds take turns."""
    rng = random.Random(number)
    make = KINDS[number % len(KINDS)]
    return make(rng)


def drawing(rng: random.Random, bands: int, top: int = 255, *, least: int = 6) -> Samples:
    """Waves and a block, integers from 0 to ``top`` [height, width, bands]."""
    width, height = rng.randrange(least, 60), rng.randrange(least, 60)
    y, x = np.mgrid[0:height, 0:width]
    waves = [
        np.sin(x / rng.uniform(4, 14) + y / rng.uniform(4, 14) + rng.random() * 6)
        for _ in range(bands)
    ]
    values = (np.stack(waves, axis=-1) + 1) / 2
    left, upper = rng.randrange(width), rng.randrange(height)
    values[upper : upper + height // 3, left : left + width // 3] = [
        rng.choice([0, 1, rng.random()]) for _ in range(bands)
    ]
    return np.rint(values * top).astype(np.int64)


def on_white(samples: Samples, alpha: Samples) -> Samples:
    share = alpha[..., None] / 255
    return np.rint(samples * share + 255 * (1 - share)).astype(np.uint8)


def turned(shown: Samples, orientation: int) -> Samples:
    """By the table of Exif: where the stored rows and columns belong."""
    if orientation >= 5:
        shown = shown.transpose(1, 0, 2)
    mirrored = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}
    return np.flip(shown, mirrored.get(orientation, ()))


# -- PNG, written by hand: every colour type and depth


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


def _png(rng: random.Random) -> Sample:
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
        before.append((b"eXIf", _exif(orientation)[6:]))
        key += f" {orientation}"
    return Sample(f"PNG {colour}/{depth}{key}", png(samples, colour, depth, before=before))


def _png_palette(rng: random.Random) -> Sample:
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


def _apng(rng: random.Random) -> Sample:
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


# -- formats by Pillow's encoders, which are not what is tested


def _encoded(samples: Samples, mode: str, form: str, **options: object) -> bytes:
    array = samples.astype(np.uint8)
    image = Image.fromarray(array[..., 0] if mode in ("L", "P") else array, mode=None)
    if mode in ("CMYK", "YCbCr"):
        image = Image.frombytes(mode, image.size, array.tobytes())
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _exif(orientation: int, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    offset = struct.pack(order + "I", 8)
    return b"Exif\0\0" + mark + offset + struct.pack(order + "H", 1) + entry + b"\0" * 4


def _jpeg(rng: random.Random) -> Sample:
    mode = rng.choice(["L", "RGB", "RGB", "CMYK"])
    samples = drawing(rng, {"L": 1, "RGB": 3, "CMYK": 4}[mode])
    orientation = rng.randrange(10)
    options = {**JPEG, "exif": _exif(orientation, rng.choice("<>"))}
    if rng.random() < 0.3:
        options |= {"progressive": True}
    if rng.random() < 0.3:
        options |= {"subsampling": 2}
    kind = f"JPEG {mode} {orientation}"
    return Sample(kind, _encoded(samples, mode, "JPEG", **options), tolerance=2.5)


def _mpo(rng: random.Random) -> Sample:
    samples = drawing(rng, 3)
    second = Image.fromarray(np.flip(samples, 0).astype(np.uint8))
    options = {**JPEG, "save_all": True, "append_images": [second], "exif": _exif(6)}
    return Sample("MPO", _encoded(samples, "RGB", "MPO", **options), tolerance=2.5)


def _webp(rng: random.Random) -> Sample:
    bands = rng.choice([3, 4])
    samples = drawing(rng, bands)
    options: dict[str, object] = WEBP if rng.random() < 0.7 else {"quality": 95}
    kind = "WebP"
    if rng.random() < 0.3:
        other = Image.fromarray(np.flip(samples, 0).astype(np.uint8))
        options = {**options, "save_all": True, "append_images": [other], "duration": 60_000}
        kind = "WebP animation"
    elif rng.random() < 0.3:
        options, kind = {**options, "exif": _exif(6)}, "WebP turned"
    content = _encoded(samples, "RGBA" if bands == 4 else "RGB", "WEBP", **options)
    return Sample(f"{kind} {bands}", content, tolerance=2.5)


def _avif(rng: random.Random) -> Sample:
    bands = rng.choice([3, 4])
    samples = drawing(rng, bands, least=16)
    orientation = rng.randrange(1, 9)
    options = {"quality": 95, "subsampling": "4:4:4", "exif": _exif(orientation), "speed": 10}
    content = _encoded(samples, "RGBA" if bands == 4 else "RGB", "AVIF", **options)
    shown = None
    if bands == 4:  # Chromium 156 takes alpha from 16 to 235 for all there is
        shown = turned(on_white(samples[..., :3], samples[..., 3]), orientation)
    return Sample(f"AVIF {bands} {orientation}", content, shown, 2.5)


def _gif(rng: random.Random) -> Sample:
    """Of one frame or two, which may leave some of the canvas free."""
    samples = drawing(rng, 1, 15)
    height, width = samples.shape[:2]
    wide, high = width + rng.choice([0, 0, 9]), height + rng.choice([0, 0, 7])
    left, top = rng.randint(0, wide - width), rng.randint(0, high - height)
    palette = bytes(rng.randrange(256) for _ in range(48))
    screen = struct.pack("<HHBBB", wide, high, 0xF3, rng.randrange(16), 0)
    key = rng.random() < 0.5
    control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, int(key), 6000, rng.randrange(16), 0)
    frame = b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0) + _lzw(samples)
    again = control + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + _lzw(15 - samples)
    frames = control + frame + (again if rng.random() < 0.4 else b"")
    kind = "GIF" + " free" * ((wide, high) != (width, height)) + " key" * key
    return Sample(kind, b"GIF89a" + screen + palette + frames + b"\x3b")


def _lzw(samples: Samples) -> bytes:
    """Uncompressed: the table is cleared before it grows."""
    clear, end, bits = 16, 17, 5
    codes: list[int] = []
    for place, value in enumerate(samples.reshape(-1).tolist()):
        if place % 12 == 0:
            codes.append(clear)
        codes.append(value)
    number, held = 0, 0
    out = bytearray()
    for code in [*codes, end]:
        number |= code << held
        held += bits
        while held >= 8:
            out.append(number & 255)
            number >>= 8
            held -= 8
    out.append(number & 255)
    blocks = [out[start : start + 255] for start in range(0, len(out), 255)]
    return b"\x04" + b"".join(bytes([len(block)]) + bytes(block) for block in blocks) + b"\0"


def _bmp(rng: random.Random) -> Sample:
    """24 and 32 bits, with and without a mask for alpha, which may be nothing but zeros."""
    kind = rng.choice(["24", "32", "alpha", "no alpha", "palette"])
    samples = drawing(rng, 4)
    height, width = samples.shape[:2]
    if kind == "palette":
        image = Image.fromarray(samples[..., 0].astype(np.uint8)).quantize(16)
        out = io.BytesIO()
        image.save(out, "BMP")
        return Sample("BMP palette", out.getvalue())
    if kind == "no alpha":
        samples[..., 3] = 0
    flipped = samples[::-1, :, [2, 1, 0, 3]].astype(np.uint8)
    if kind == "24":
        rows = b"".join(
            row.tobytes() + b"\0" * (-3 * width % 4)
            for row in np.ascontiguousarray(flipped[..., :3])
        )
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0)
    else:
        rows = flipped.tobytes()
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 32, 0, len(rows), 0, 0, 0, 0)
        if kind != "32":
            masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
            header = struct.pack(
                "<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(rows), 0, 0, 0, 0
            ) + masks + b"BGRs" + b"\0" * 48  # fmt: skip
    offset = 14 + len(header)
    content = struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset) + header + rows
    return Sample(f"BMP {kind}", content)


def _profiled(rng: random.Random) -> Sample:
    """With a colour profile: sRGB's own, or with red and blue exchanged, which a viewer undoes."""
    samples = drawing(rng, 3)
    profile = exchanged_profile() if rng.random() < 0.6 else srgb_profile()
    if rng.random() < 0.5:
        return Sample("PNG profile", _encoded(samples, "RGB", "PNG", icc_profile=profile), None, 2)
    content = _encoded(samples, "RGB", "JPEG", icc_profile=profile, **JPEG)
    return Sample("JPEG profile", content, None, 3)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exchanged_profile() -> bytes:
    """sRGB's, whose tables of tags name the red primary blue, and the other way round."""
    profile = bytearray(srgb_profile())
    for place in range(132, 132 + 12 * struct.unpack(">I", profile[128:132])[0], 12):
        name = bytes(profile[place : place + 4])
        exchanged = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name)
        if exchanged:
            profile[place : place + 4] = exchanged
    return bytes(profile).replace(b"s\0R\0G\0B", b"s\0w\0a\0p").replace(b"sRGB b", b"swap b")


# -- formats that no browser shows: the samples tell what is right


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


def _tiff(rng: random.Random) -> Sample:
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


def _heic(rng: random.Random) -> Sample:
    bands, orientation = rng.choice([3, 4]), rng.randrange(1, 9)
    samples = drawing(rng, bands, least=16)
    image = Image.fromarray(samples.astype(np.uint8))
    out = io.BytesIO()
    options = {"quality": -1, "chroma": 444, "exif": _exif(orientation)}
    pillow_heif.from_pillow(image).save(out, **options)
    shown = on_white(samples[..., :3], samples[..., 3]) if bands == 4 else samples.astype(np.uint8)
    return Sample(f"HEIC {bands} {orientation}", out.getvalue(), turned(shown, orientation), 2.0)


def _jpeg2000(rng: random.Random) -> Sample:
    mode, bands = rng.choice([("L", 1), ("RGB", 3), ("RGBA", 4), ("LA", 2), ("16", 1)])
    samples = drawing(rng, bands, 65535 if mode == "16" else 255, least=32)
    if mode == "16":
        image = Image.fromarray(samples[..., 0].astype(np.uint16))
        out = io.BytesIO()
        image.save(out, "JPEG2000")
        shown = np.broadcast_to(np.rint(samples / 257), (*samples.shape[:2], 3))
        return Sample("JPEG 2000 16", out.getvalue(), shown.astype(np.uint8))
    content = _encoded(samples, mode, "JPEG2000")
    colours = np.broadcast_to(samples[..., : 1 if bands < 3 else 3], (*samples.shape[:2], 3))
    alpha = samples[..., -1] if bands in (2, 4) else np.full(samples.shape[:2], 255)
    return Sample(f"JPEG 2000 {mode}", content, on_white(colours, alpha))


def _damaged(rng: random.Random) -> Sample:
    whole = rng.choice([_png, _png_palette, _jpeg, _webp, _gif, _bmp, _avif, _tiff, _heic])(rng)
    content = bytearray(whole.content)
    kind = rng.choice(["cut", "bytes", "zeros", "nothing"])
    if kind == "cut":
        del content[rng.randrange(1, len(content)) :]
    elif kind == "bytes":
        for _ in range(rng.randrange(1, 9)):
            content[rng.randrange(len(content))] = rng.randrange(256)
    elif kind == "zeros":
        start = rng.randrange(len(content))
        content[start : start + 40] = b"\0" * 40
    else:
        content = bytearray(rng.randbytes(rng.randrange(60)))
    is_judged = not whole.kind.startswith("AVIF 4")
    name = f"damaged: {whole.kind}, {kind}"
    return Sample(name, bytes(content), tolerance=2.5, refusable=True, is_judged=is_judged)


KINDS: list[Callable[[random.Random], Sample]] = [
    _png, _jpeg, _png_palette, _webp, _tiff, _gif, _bmp, _avif, _heic, _jpeg2000, _apng, _mpo,
    _profiled, _damaged, _png, _tiff,
]  # fmt: skip
