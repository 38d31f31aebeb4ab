"""A new item has the vector that the offline job would have given it."""

from pathlib import Path

from offline.corpus.corpus import Corpus
from semcore.bundle.bundle import ITEMS, read_manifest
from semcore.bundle.item import ItemStore
from semcore.guide.guide import open_guide
from semcore.guide.item_vector import item_vector
from semcore.guide.vectors import CAPTIONS, VectorTable, unit
from semcore.model.eyesight import side_seen
from semcore.pictures.picture import open_picture


def test_as_the_offline_job_has_made_it(trained: Path, guided: Path, corpus: Corpus) -> None:
    record = read_manifest(guided).guide
    assert record is not None
    guide = open_guide(record.encoder, trained / "model", record.picture_weight)
    store = ItemStore(guided / ITEMS, ())
    picture = next(one for one in corpus.pictures if one.split == "train")
    shown = open_picture(Path(corpus.image_root) / picture.image, side_seen(trained / "model"))
    number = store.number(picture.id)
    text = next(item for item in store.of_split("train", "text"))
    text_number = store.number(text.id)
    store.close()
    whole, captions = VectorTable(guided).rows, VectorTable(guided, CAPTIONS).rows
    assert (whole[number] != captions[number]).any()
    for made, row in (
        (item_vector(guide, picture.sources, shown), whole[number]),
        (item_vector(guide, [text.caption], None), whole[text_number]),
    ):
        assert float((unit(made[None]) @ unit(row[None]).T)[0, 0]) > 0.999
    # What was said is mapped as well, by much the same map for all.
    assert float((unit(whole[text_number][None]) @ unit(captions[text_number][None]).T)[0, 0]) > 0.5
