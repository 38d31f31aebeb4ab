"""What is read from a package's source is what importing it would tell."""

import inspect
from pathlib import Path

import pytest

from service.engine.source_tree import Found, SourceTree

FILES = {
    "__init__.py": "",
    "base.py": """
class Base:
    kept: int
    def method(self, first, second=1, *, third, fourth=None, **more): ...
    @property
    def size(self): return 1
    @staticmethod
    def still(first): ...
    @classmethod
    def made(cls, first): ...
    def __init__(self, count):
        self.count, self.other = count, 1
        self.named: int = 2
""",
    "parts/__init__.py": """
from .inner import Inner as Outer, choose
from package.base import *
""",
    "parts/inner.py": """
import json
from typing import Generic, TYPE_CHECKING
if TYPE_CHECKING:
    from elsewhere import Elsewhere
try:
    from package.base import Base
except ImportError:
    Base = None
class Inner(Base, Generic[int]):
    FIRST = 1
    def method(self, *rest): ...
async def choose(one, two=2): ...
LIMIT = 8
if LIMIT:
    place = 3
else:
    other_place = 4
""",
    "circle.py": "from package.circle import lost\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> SourceTree:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return SourceTree(tmp_path, "package")


@pytest.mark.parametrize(
    ("module", "name", "takes"),
    [
        ("base", "Base.method", ("first", "second=", "*", "third", "fourth=", "**more")),
        ("base", "Base.still", ("first",)),
        ("base", "Base.made", ("first",)),
        ("parts.inner", "Inner.method", ("*rest",)),
        ("parts", "Outer.method", ("*rest",)),
        ("parts", "Outer.still", ("first",)),
        ("parts", "choose", ("one", "two=")),
    ],
)
def test_what_can_be_called_has_its_parameters(
    tree: SourceTree, module: str, name: str, takes: tuple[str, ...]
) -> None:
    assert tree.find(f"package.{module}", name) == Found(takes)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("base", "Base"), ("base", "Base.kept"), ("base", "Base.size"), ("base", "Base.count"),
        ("base", "Base.other"), ("base", "Base.named"), ("parts", "Outer"), ("parts", "Base.kept"),
        ("parts", "Outer.FIRST"), ("parts", "Outer.count"), ("parts.inner", "LIMIT"),
        ("parts.inner", "place"), ("parts.inner", "other_place"),
    ],
)  # fmt: skip
def test_what_cannot_be_called_is_there(tree: SourceTree, module: str, name: str) -> None:
    assert tree.find(f"package.{module}", name) == Found()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("base", "Other"), ("base", "Base.lost"), ("nowhere", "Base"), ("parts.inner", "Elsewhere"),
        ("parts.inner", "LIMIT.member"), ("circle", "lost"), ("parts", "json"),
    ],
)  # fmt: skip
def test_what_is_not_there(tree: SourceTree, module: str, name: str) -> None:
    assert tree.find(f"package.{module}", name) is None


def test_it_reads_what_importing_tells() -> None:
    import httpx

    tree = SourceTree(Path(str(httpx.__file__)).parent, "httpx")
    for name in ("get", "post", "build_request", "aclose", "stream"):
        found = tree.find("httpx", f"AsyncClient.{name}")
        assert found is not None
        assert found.takes is not None
        told = list(inspect.signature(getattr(httpx.AsyncClient, name)).parameters)[1:]
        assert [one.rstrip("=") for one in found.takes if one != "*"] == told
    assert tree.find("httpx", "AsyncClient.is_closed") == Found()
