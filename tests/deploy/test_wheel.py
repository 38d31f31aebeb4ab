"""The wheel has every file of the packages, wherever a module or a page lies."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from installation import PACKAGES, ROOT

BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"


def test_the_wheel_has_all_files_of_the_packages(tmp_path: Path) -> None:
    source, deep = tmp_path / "source", "service/http/pages/deeper/page.html"
    unwanted = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=unwanted)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    (source / deep).parent.mkdir()
    (source / deep).write_text("<p>")
    wanted = {str(file.relative_to(source)) for file in source.rglob("*/*") if file.is_file()}
    (source / "cli" / "__pycache__").mkdir()
    (source / "cli" / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"")
    command = [sys.executable, "-c", BUILD, str(tmp_path)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert deep in found
    assert found == wanted
