"""Neighbours of one name are a sample, and their texts are read."""

import io
import tarfile

from offline.corpus.layouts.tar_sample import samples_of


def test_samples() -> None:
    file = io.BytesIO()
    members = {
        "a/1.jpg": b"", "a/1.txt": b"\xef\xbb\xbfone\n\ntwo", "b/1.json": b'{"x": 1}',
        "b/1.png": b"", "b/2.json": b"[1]",
    }  # fmt: skip
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:") as tar:
        found = [(len(one.pictures), one.record, bool(one.fault)) for one in samples_of(tar)]
    assert found == [
        (0, {}, False),
        (1, {"caption": ["one", "two"]}, False),
        (1, {"x": 1}, False),
        (0, {}, True),
    ]
