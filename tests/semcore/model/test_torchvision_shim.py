"""The shim makes transformers and vLLM import here, in this process and in those it starts."""

import os
import subprocess
import sys

import semcore.model.torchvision_shim as shim


def test_is_done_once() -> None:
    assert not shim.declare_missing_operators()


def test_children_import_torchvision() -> None:
    shim.pass_on_to_children()
    path = os.environ["PYTHONPATH"].split(os.pathsep)
    shim.pass_on_to_children()
    assert os.environ["PYTHONPATH"].split(os.pathsep) == path
    code = "import torchvision, transformers.image_utils; print(torchvision.__version__)"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
