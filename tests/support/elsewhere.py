"""Pictures that are no files of this machine by themselves, and bundles that have such ones."""

import io
import shutil
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import fsspec
import pyarrow as pa
from pyarrow import parquet

from semcore.bundle.bundle import ITEMS, read_manifest, staged
from semcore.bundle.item import ItemStore, write_items
from semcore.pictures.picture_source import part_of

PLACES = ("url", "tar", "parquet")
MISSING = {
    "url": "none.png",
    "tar": part_of("all.tar", "0+1000000000"),
    "parquet": part_of("all.parquet", "1000000/image"),
}
"""An image of each that is not there."""


def put(place: str, pictures: Mapping[str, bytes], folder: Path) -> tuple[str, dict[str, str]]:
    """Pictures, by name, behind a URL, in a tar or in a parquet file: their root, and by name what
    an item has as its image."""
    if place == "url":
        root = f"memory://{folder}"
        for name, content in pictures.items():
            with fsspec.open(f"{root}/{name}", "wb") as file:
                file.write(content)
        return root, {name: name for name in pictures}
    folder.mkdir(parents=True, exist_ok=True)
    if place == "parquet":
        cells = [{"bytes": content, "path": None} for content in pictures.values()]
        parquet.write_table(pa.table({"image": cells}), folder / "all.parquet", row_group_size=50)
        rows = enumerate(pictures)
        return str(folder), {name: part_of("all.parquet", f"{row}/image") for row, name in rows}
    with tarfile.open(folder / "all.tar", "w") as tar:
        for name, content in pictures.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with tarfile.open(folder / "all.tar") as tar:
        parts = {one.name: f"{one.offset_data}+{one.size}" for one in tar}
    return str(folder), {name: part_of("all.tar", part) for name, part in parts.items()}


def moved(bundle: Path, out: Path, place: str, lost: Collection[str] = ()) -> Path:
    """A bundle without a model once more, with its pictures elsewhere; ``lost``: ids of those that
    are not there."""
    manifest = read_manifest(bundle)
    store = ItemStore(bundle / ITEMS, manifest.settings.gallery)
    items = list(store)
    store.close()
    old = Path(manifest.corpus.image_root)
    pictures = {one.image: (old / one.image).read_bytes() for one in items if one.image}
    root, images = put(place, pictures, out.with_name(f"{out.name}.pictures"))
    items = [
        replace(one, image=MISSING[place] if one.id in lost else images[one.image])
        if one.image
        else one
        for one in items
    ]
    corpus = manifest.corpus.model_copy(update={"image_root": root})
    with staged(out, manifest.model_copy(update={"corpus": corpus})) as stage:
        for name in manifest.files:
            shutil.copy(bundle / name, stage / name)
        (stage / ITEMS).unlink()
        write_items(stage / ITEMS, items, manifest.settings.gallery)
    return out
