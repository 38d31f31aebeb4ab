"""Answers that were found together are not all forgotten together."""

from service.cache.ttl import Lifetime


def test_lifetimes_differ_and_are_no_longer_than_said() -> None:
    seconds = [Lifetime(100).seconds() for _ in range(1000)]
    assert 80 <= min(seconds) < 85
    assert 95 < max(seconds) <= 100
