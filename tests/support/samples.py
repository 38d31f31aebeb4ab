"""Pictures of all formats, modes, depths, orientations and damages, made from a seed.

What a viewer shows of those that a browser does not know is told as pixels, worked out from the
samples that were written; nothing here reads pictures.
"""

import io
import random
import struct
from collections.abc import Callable

import numpy as np
import pillow_heif
from picture_sample import Sample, Samples, drawing, encoded, exif, on_white, turned
from PIL import Image, ImageCms
from png_samples import apng_sample, png_palette_sample, png_sample
from tiff_samples import tiff_sample

JPEG, WEBP = {"quality": 95, "subsampling": 0}, {"lossless": True, "exact": True}


def sample(number: int) -> Sample:
    """The same for the same number; the kinds take turns."""
    rng = random.Random(number)
    make = KINDS[number % len(KINDS)]
    return make(rng)


# Formats by Pillow's encoders, which are not what is tested.


def _jpeg(rng: random.Random) -> Sample:
    mode = rng.choice(["L", "RGB", "RGB", "CMYK"])
    samples = drawing(rng, {"L": 1, "RGB": 3, "CMYK": 4}[mode])
    orientation = rng.randrange(10)
    options = {**JPEG, "exif": exif(orientation, rng.choice("<>"))}
    if rng.random() < 0.3:
        options |= {"progressive": True}
    if rng.random() < 0.3:
        options |= {"subsampling": 2}
    kind = f"JPEG {mode} {orientation}"
    return Sample(kind, encoded(samples, mode, "JPEG", **options), tolerance=2.5)


def _mpo(rng: random.Random) -> Sample:
    samples = drawing(rng, 3)
    second = Image.fromarray(np.flip(samples, 0).astype(np.uint8))
    options = {**JPEG, "save_all": True, "append_images": [second], "exif": exif(6)}
    return Sample("MPO", encoded(samples, "RGB", "MPO", **options), tolerance=2.5)


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
        options, kind = {**options, "exif": exif(6)}, "WebP turned"
    content = encoded(samples, "RGBA" if bands == 4 else "RGB", "WEBP", **options)
    return Sample(f"{kind} {bands}", content, tolerance=2.5)


def _avif(rng: random.Random) -> Sample:
    bands = rng.choice([3, 4])
    samples = drawing(rng, bands, least=16)
    orientation = rng.randrange(1, 9)
    options = {"quality": 95, "subsampling": "4:4:4", "exif": exif(orientation), "speed": 10}
    content = encoded(samples, "RGBA" if bands == 4 else "RGB", "AVIF", **options)
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
        return Sample("PNG profile", encoded(samples, "RGB", "PNG", icc_profile=profile), None, 2)
    content = encoded(samples, "RGB", "JPEG", icc_profile=profile, **JPEG)
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


# Formats that no browser shows: the samples tell what is right.


def _heic(rng: random.Random) -> Sample:
    bands, orientation = rng.choice([3, 4]), rng.randrange(1, 9)
    samples = drawing(rng, bands, least=16)
    image = Image.fromarray(samples.astype(np.uint8))
    out = io.BytesIO()
    options = {"quality": -1, "chroma": 444, "exif": exif(orientation)}
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
    content = encoded(samples, mode, "JPEG2000")
    colours = np.broadcast_to(samples[..., : 1 if bands < 3 else 3], (*samples.shape[:2], 3))
    alpha = samples[..., -1] if bands in (2, 4) else np.full(samples.shape[:2], 255)
    return Sample(f"JPEG 2000 {mode}", content, on_white(colours, alpha))


def _damaged(rng: random.Random) -> Sample:
    makers = [
        png_sample, png_palette_sample, _jpeg, _webp, _gif, _bmp, _avif, tiff_sample, _heic,
    ]  # fmt: skip
    whole = rng.choice(makers)(rng)
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
    png_sample, _jpeg, png_palette_sample, _webp, tiff_sample, _gif, _bmp, _avif, _heic, _jpeg2000,
    apng_sample, _mpo, _profiled, _damaged, png_sample, tiff_sample,
]  # fmt: skip
