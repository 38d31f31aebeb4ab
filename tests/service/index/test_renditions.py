"""Copies of pictures are small, made once, and take no more room than they may."""

from pathlib import Path

from noise import encoded

from service.index.renditions import Renditions


async def test_the_folder_of_thumbnails_is_bounded(tmp_path: Path) -> None:
    renditions = Renditions(most_bytes=60_000)
    folder = Path(renditions._folder.name)
    for number in range(6):
        path = tmp_path / f"{number}.bmp"
        path.write_bytes(encoded("BMP"))
        for _ in range(2):
            assert (await renditions.of(path, 256)).content is not None
            assert sum(file.stat().st_size for file in folder.iterdir()) <= 60_000
    assert any(folder.iterdir())
    renditions.close()
    assert not folder.exists()
