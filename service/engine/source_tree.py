"""What a package's classes have and take, read from its source without importing it.

Importing vLLM takes seconds and starts what it finds; reading the few files in question does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Scope = ast.Module | ast.ClassDef | ast.If | ast.Try
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Found:
    """A class, function or attribute.

    Attributes:
        takes: the parameters of a function, without the one that is bound, each as ``name``,
            ``name=`` where it may be left out, ``*``, ``*name`` or ``**name``; None of all else.
    """

    takes: tuple[str, ...] | None = None


@dataclass(slots=True)
class SourceTree:
    """The source of one package.

    Args:
        folder: of the package.
        name: by which its modules import one another.
    """

    folder: Path
    name: str
    _modules: dict[str, ast.Module | None] = field(default_factory=dict)
    _attributes: dict[ast.ClassDef, set[str]] = field(default_factory=dict)

    def find(self, module: str, name: str) -> Found | None:
        """What a module has by a name, which may be ``Class.member``; None if it is not there.

        Re-exports and base classes are followed as far as they are in the package.
        """
        owner, _, member = name.partition(".")
        found = self._definition(module, owner)
        if found is None:
            return None
        where, node = found
        if not member:
            return Found(_takes(node) if isinstance(node, Function) else None)
        return self._member(where, node, member) if isinstance(node, ast.ClassDef) else None

    def _definition(self, module: str, name: str, depth: int = 0) -> tuple[str, ast.AST] | None:
        """The module that defines a name, and where."""
        tree = self._parsed(module)
        if tree is None or depth > _DEEPEST:
            return None
        for node in _statements(tree):
            if isinstance(node, ast.ClassDef | Function) and node.name == name:
                return module, node
            if name in _assigned(node):
                return module, node
            if isinstance(node, ast.ImportFrom):
                source = self._source(module, node)
                for alias in node.names:
                    if source is not None and (alias.asname or alias.name) in (name, "*"):
                        wanted = name if alias.name == "*" else alias.name
                        found = self._definition(source, wanted, depth + 1)
                        if found is not None:
                            return found
        return None

    def _member(self, module: str, owner: ast.ClassDef, name: str) -> Found | None:
        for node in _statements(owner):
            if isinstance(node, Function) and node.name == name:
                return Found(None if _is_property(node) else _takes(node, bound=True))
            if name in _assigned(node):
                return Found()
        if owner not in self._attributes:
            self._attributes[owner] = {one for node in ast.walk(owner) for one in _assigned(node)}
        if f"self.{name}" in self._attributes[owner]:
            return Found()
        for base in owner.bases:
            base = base.value if isinstance(base, ast.Subscript) else base
            found = self._definition(module, base.id) if isinstance(base, ast.Name) else None
            if found is not None and isinstance(found[1], ast.ClassDef):
                inherited = self._member(found[0], found[1], name)
                if inherited is not None:
                    return inherited
        return None

    def _source(self, module: str, node: ast.ImportFrom) -> str | None:
        """The module that something is imported from, None if it is not of this package."""
        if not node.level:
            return node.module if (node.module or "").split(".")[0] == self.name else None
        package = module if self._file(module).name == "__init__.py" else module.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        return f"{package}.{node.module}" if node.module else package

    def _parsed(self, module: str) -> ast.Module | None:
        if module not in self._modules:
            file = self._file(module)
            is_there = file.is_file()
            self._modules[module] = ast.parse(file.read_text("utf-8")) if is_there else None
        return self._modules[module]

    def _file(self, module: str) -> Path:
        path = self.folder.joinpath(*module.split(".")[1:])
        return path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")


_DEEPEST = 8  # re-exports of one name


def _statements(scope: Scope) -> Iterator[ast.stmt]:
    """Those of a module or class, also behind conditions."""
    for node in scope.body:
        if isinstance(node, ast.If | ast.Try):
            yield from _statements(node)
        else:
            yield node
    if isinstance(scope, ast.If | ast.Try):
        for node in scope.orelse:
            yield from _statements(ast.Module([node], []))


def _assigned(node: ast.AST) -> set[str]:
    """What a statement assigns or declares, as ``name`` or ``self.name``."""
    if isinstance(node, ast.AnnAssign):
        targets: list[ast.expr] = [node.target]
    elif isinstance(node, ast.Assign):
        targets = [
            one
            for target in node.targets
            for one in (target.elts if isinstance(target, ast.Tuple) else [target])
        ]
    else:
        return set()
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    for target in targets:
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            names.add(f"{target.value.id}.{target.attr}")
    return names


def _is_property(node: Function) -> bool:
    names = {ast.unparse(one).split(".")[-1] for one in node.decorator_list}
    return bool(names & {"property", "cached_property", "setter"})


def _takes(node: Function, *, bound: bool = False) -> tuple[str, ...]:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args]
    first_default = len(every) - len(arguments.defaults)
    names = [one.arg + "=" * (place >= first_default) for place, one in enumerate(every)]
    if bound and "staticmethod" not in {ast.unparse(one) for one in node.decorator_list}:
        names = names[1:]
    if arguments.vararg:
        names.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        names.append("*")
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        names.append(one.arg + "=" * (default is not None))
    if arguments.kwarg:
        names.append(f"**{arguments.kwarg.arg}")
    return tuple(names)
