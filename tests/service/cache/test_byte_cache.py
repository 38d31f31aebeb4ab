"""Those used last stay, within a budget of bytes."""

from service.cache.byte_cache import ByteCache


def test_those_used_last_stay() -> None:
    cache: ByteCache[str | None] = ByteCache(100)
    for key in "abc":
        cache.put(key, key, 30)
    assert cache.get("a") == ("a",)
    cache.put("d", None, 30)
    assert cache.get("b") is None
    assert cache.get("d") == (None,)
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    assert cache.size == 90


def test_what_is_put_again_counts_once() -> None:
    cache: ByteCache[str] = ByteCache(100)
    for size in (90, 10, 40):
        cache.put("a", str(size), size)
    assert cache.size == 40
    assert cache.get("a") == ("40",)


def test_what_is_larger_than_all_is_not_kept() -> None:
    cache: ByteCache[str] = ByteCache(100)
    cache.put("a", "a", 60)
    cache.put("b", "b", 101)
    assert (len(cache), cache.size) == (0, 0)
