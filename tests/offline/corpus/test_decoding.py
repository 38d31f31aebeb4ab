"""Each picture that cannot be decoded is told, and why."""

from pathlib import Path

from layouts import drawn, save

from offline.corpus.decoding import damaged_pictures
from offline.corpus.picture import Picture


def test_tells_what_is_damaged(tmp_path: Path) -> None:
    save(tmp_path, drawn(600), "")
    content = (tmp_path / "a/0.png").read_bytes()
    (tmp_path / "a/0.png").write_bytes(content[:-30])
    (tmp_path / "a/1.png").unlink()
    pictures = [Picture(one.name, one.name, "train", ()) for one in drawn(600)]
    faults = damaged_pictures(str(tmp_path), pictures)
    expected = {one.name for one in drawn(600) if one.damaged} | {"a/0.png", "a/1.png"}
    assert faults.keys() == expected
    assert "the image is damaged: " in faults["a/0.png"]
    assert "No such file" in faults["a/1.png"]
    assert damaged_pictures(str(tmp_path), [pictures[4]]) == {}
