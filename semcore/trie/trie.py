"""The trie: all identifiers of one kind of item, as text, in a marisa-trie file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import marisa_trie

from semcore.errors import BundleError


class Trie:
    """A set of identifiers, each with a number from 0 to ``len(trie) - 1``."""

    def __init__(self, trie: marisa_trie.Trie) -> None:
        self._trie = trie

    @classmethod
    def build(cls, identifiers: Iterable[str]) -> Trie:
        """Of identifiers as text; equal ones count once."""
        return cls(marisa_trie.Trie(identifiers))

    @classmethod
    def load(cls, path: Path) -> Trie:
        """Map the file. Raises :class:`BundleError` if it is missing or no marisa-trie."""
        trie = marisa_trie.Trie()
        try:
            trie.mmap(str(path))
        except (OSError, RuntimeError) as error:
            raise BundleError(f"{path} is no trie ({error}); build the bundle again") from error
        return cls(trie)

    def save(self, path: Path) -> None:
        self._trie.save(str(path))

    def number(self, identifier: str) -> int:
        """The number of an identifier. Raises ``KeyError`` if the trie does not hold it."""
        return int(self._trie[identifier])

    def identifier(self, number: int) -> str:
        """The identifier of a number. Raises ``KeyError`` out of range."""
        return str(self._trie.restore_key(number))

    def __contains__(self, identifier: object) -> bool:
        return isinstance(identifier, str) and identifier in self._trie

    def __iter__(self) -> Iterator[str]:
        """In order of number."""
        return (self.identifier(number) for number in range(len(self)))

    def __len__(self) -> int:
        return len(self._trie)
