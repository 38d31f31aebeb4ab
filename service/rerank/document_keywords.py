"""Keywords of documents that are no items: those that they would have as new items."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from semcore.errors import BundleError
from semcore.kind import Kind
from service.cache.byte_cache import ByteCache
from service.index.lookup import in_threads
from service.index.open_bundle import OpenBundle

_BYTES = 8 * 2**20  # of what is kept
_AROUND = 500  # bytes of an entry beside its text

Keywords = tuple[str, ...]

_threads = ThreadPoolExecutor(1, thread_name_prefix="keywords")  # the encoder serves one at a time


class DocumentKeywords:
    """Names documents as the journal's items are named; keeps the keywords of those used last."""

    def __init__(self) -> None:
        self._kept: ByteCache[Keywords] = ByteCache(_BYTES)

    async def of(self, bundle: OpenBundle, kind: Kind, text: str) -> Keywords:
        """None of a picture that no text describes, and in a bundle whose identifiers only the
        offline job can give.

        Args:
            kind: of the document.
        """
        if not text:
            return ()
        key = f"{bundle.version}:{kind}:{text}"
        kept = self._kept.get(key)
        if kept is not None:
            return kept[0]
        named = await in_threads(_threads, _named, bundle, kind, text)
        self._kept.put(key, named, len(key) + _AROUND)
        return named


def _named(bundle: OpenBundle, kind: Kind, text: str) -> Keywords:
    try:
        return bundle.namer.name(kind, [text]).lexical_id
    except BundleError:
        return ()
