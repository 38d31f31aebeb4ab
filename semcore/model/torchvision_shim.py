"""Lets transformers and vLLM import where torch is a CPU build and torchvision is not.

Torchvision's compiled operators cannot load beside a CPU build of torch, and its Python side then
fails on import because two of them are not declared. Declaring them (they are never called here)
mends the import. Importing this module does so where needed and nothing where torchvision imports;
it must come before transformers. vLLM starts processes that import transformers before anything of
ours, so these are given a ``sitecustomize`` on their path that imports this module first.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import torch

_LIBRARIES: list[torch.library.Library] = []  # a declaration lives as long as its library
_STARTUP = str(Path(__file__).parents[1] / "startup")


def declare_missing_operators() -> bool:
    """Declare ``torchvision::nms`` and ``qnms`` if torchvision does not import without them."""
    if _LIBRARIES or importlib.util.find_spec("torchvision") is None:
        return False
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    else:
        return False
    for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[module]
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(operator + signature)  # type: ignore[no-untyped-call]
    _LIBRARIES.append(library)
    return True


def pass_on_to_children() -> None:
    """Put the folder of our ``sitecustomize`` on the path of processes started from here."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if _STARTUP not in folders:
        os.environ["PYTHONPATH"] = os.pathsep.join([_STARTUP, *filter(None, folders)])


if declare_missing_operators():
    pass_on_to_children()
