"""One corpus in every layout that is read: the same pictures, captions and splits."""

import csv
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pyarrow as pa
from PIL import Image
from pyarrow import parquet


@dataclass(frozen=True)
class Drawn:
    """A picture of a corpus; ``name`` is its path below the folder of pictures."""

    name: str
    captions: tuple[str, ...]
    split: str = "train"
    damaged: bool = False

    @property
    def content(self) -> bytes:
        if self.damaged:
            return b"no picture"
        shade = hash_of(self.name)
        file = io.BytesIO()
        Image.new("RGB", (8, 8), (shade, 255 - shade, 90)).save(file, "PNG")
        return file.getvalue()


def hash_of(name: str) -> int:
    return sum(name.encode()) % 256


def drawn(count: int) -> list[Drawn]:
    """Pictures in two folders, some of the same names; every 50th is damaged."""
    things = ("boat", "lamp", "bird", "tree", "house", "chair", "wheel")
    tints = ("red", "blue", "green", "yellow", "grey")
    found = []
    for number in range(count):
        thing, tint = things[number % 7], tints[number // 7 % 5]
        captions = (f"A {tint} {thing}, number {number}.", f"One {thing} in {tint} by a wall.")
        name = f"{'ab'[number % 2]}/{number // 2}.png"
        found.append(Drawn(name, captions, damaged=number % 50 == 49))
    return found


Write = Callable[[Path, Sequence[Drawn]], str | Path]
"""Writes pictures and their captions into a folder, and gives what is to be read."""


def save(folder: Path, pictures: Sequence[Drawn], under: str = "pictures") -> None:
    for one in pictures:
        file = folder / under / one.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(one.content)


def write_lines(file: Path, rows: Sequence[object]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def json_lines(folder: Path, pictures: Sequence[Drawn]) -> Path:
    save(folder, pictures)
    rows = [{"image": f"pictures/{one.name}", "captions": one.captions} for one in pictures]
    write_lines(folder / "captions.jsonl", rows)
    return folder


def json_lines_by_caption(folder: Path, pictures: Sequence[Drawn]) -> Path:
    save(folder, pictures)
    rows = [
        {"image": f"pictures\\{one.name}".replace("/", "\\"), "caption": caption, "id": None}
        for number in (0, 1)
        for one in pictures
        for caption in one.captions[number : number + 1]
    ]
    write_lines(folder / "captions.jsonl", rows)
    return folder


def karpathy(folder: Path, pictures: Sequence[Drawn]) -> Path:
    save(folder, pictures)
    images = [
        {
            "filepath": f"pictures/{one.name.rpartition('/')[0]}",
            "filename": one.name.rpartition("/")[2],
            "split": "restval",
            "sentences": [{"raw": caption} for caption in one.captions],
        }
        for one in pictures
    ]
    (folder / "dataset_flickr30k.json").write_text(json.dumps({"images": images}))
    return folder


def coco(folder: Path, pictures: Sequence[Drawn]) -> Path:
    save(folder, pictures, "train2017")
    images = [{"id": 7 + at, "file_name": one.name} for at, one in enumerate(pictures)]
    annotations = [
        {"image_id": 7 + at, "id": 100 * at + number, "caption": caption}
        for at, one in enumerate(pictures)
        for number, caption in enumerate(one.captions)
    ]
    (folder / "annotations").mkdir()
    content = json.dumps({"info": {}, "annotations": annotations, "images": images})
    (folder / "annotations/captions_train2017.json").write_text(content)
    return folder


def image_folder(suffix: str) -> Write:
    def write(folder: Path, pictures: Sequence[Drawn]) -> Path:
        save(folder, pictures, "train")
        rows = [(one.name, *one.captions) for one in pictures]
        names = ("file_name", "text_1", "text_2")
        file = folder / f"train/metadata{suffix}"
        if suffix == ".jsonl":
            write_lines(file, [dict(zip(names, row, strict=True)) for row in rows])
        elif suffix == ".csv":
            with file.open("w", newline="") as opened:
                csv.writer(opened).writerows([names, *rows])
        else:
            columns = zip(*rows, strict=True)
            parquet.write_table(pa.table(dict(zip(names, columns, strict=True))), file)
        return folder

    return write


def parquet_bytes(folder: Path, pictures: Sequence[Drawn]) -> Path:
    (folder / "data").mkdir()
    half = len(pictures) // 2
    for shard, part in enumerate((pictures[:half], pictures[half:])):
        images = [{"bytes": one.content, "path": f"pictures/{one.name}"} for one in part]
        table = pa.table({"image": images, "captions": [list(one.captions) for one in part]})
        name = f"train-0000{shard}-of-00002.parquet"
        parquet.write_table(table, folder / "data" / name, row_group_size=30)
    return folder


def web_dataset(folder: Path, pictures: Sequence[Drawn]) -> Path:
    with tarfile.open(folder / "0000.tar", "w") as tar:
        for one in pictures:
            told = json.dumps({"caption": one.captions}).encode()
            for name, content in ((one.name, one.content), (f"{one.name[:-4]}.json", told)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return folder


def table(name: str, separator: str, header: str, row: str, encoding: str = "utf-8") -> Write:
    def write(folder: Path, pictures: Sequence[Drawn]) -> Path:
        save(folder, pictures, "Images")
        lines = [header] if header else []
        for one in pictures:
            for number, caption in enumerate(one.captions):
                told = f'"{caption}"' if separator == "," and "," in caption else caption
                lines.append(row.format(name=one.name, number=number, caption=told))
        text = "\r\n".join(lines) + "\r\n"
        (folder / name).write_bytes(text.encode(encoding))
        return folder

    return write


def json_list(folder: Path, pictures: Sequence[Drawn]) -> Path:
    save(folder, pictures)
    rows = [{"image": f"pictures/{one.name}", "caption": one.captions} for one in pictures]
    (folder / "train.json").write_text(json.dumps(rows))
    return folder / "train.json"


def sidecar(folder: Path, pictures: Sequence[Drawn]) -> Path:
    save(folder, pictures)
    for one in pictures:
        file = (folder / "pictures" / one.name).with_suffix(".txt")
        file.write_text("".join(f"{caption}\n" for caption in one.captions))
    return folder


def archive(folder: Path, pictures: Sequence[Drawn]) -> Path:
    with zipfile.ZipFile(folder / "all.zip", "w") as file:
        for one in pictures:
            file.writestr(f"pictures/{one.name}", one.content)
        rows = [{"image": f"pictures/{one.name}", "captions": one.captions} for one in pictures]
        file.writestr("captions.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return folder / "all.zip"


def url(folder: Path, pictures: Sequence[Drawn]) -> str:
    root = f"memory://{folder.name}"
    for one in pictures:
        with fsspec.open(f"{root}/pictures/{one.name}", "wb") as file:
            file.write(one.content)
    rows = [{"image": f"pictures/{one.name}", "captions": one.captions} for one in pictures]
    with fsspec.open(f"{root}/captions.jsonl", "w") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    return root


_TOKEN = "{name}#{number}\t{caption}"
LAYOUTS: dict[str, Write] = {
    "json lines": json_lines,
    "json lines, a caption a row": json_lines_by_caption,
    "karpathy": karpathy,
    "coco": coco,
    "image folder, jsonl": image_folder(".jsonl"),
    "image folder, csv": image_folder(".csv"),
    "image folder, parquet": image_folder(".parquet"),
    "parquet": parquet_bytes,
    "web dataset": web_dataset,
    "flickr8k": table("captions.txt", ",", "image,caption", "{name},{caption}"),
    "flickr30k": table(
        "results.csv", "|", "image_name| comment_number| comment", "{name}| {number}| {caption}"
    ),
    "token": table("results_20130124.token", "\t", "", _TOKEN),
    "tsv in UTF-16": table("all.tsv", "\t", "caption\tfile", "{caption}\t{name}", "utf-16"),
    "json list": json_list,
    "sidecar": sidecar,
    "zip": archive,
    "url": url,
}
"""By what they are."""
