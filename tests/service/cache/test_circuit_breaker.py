"""The breaker opens after failures in a row, tries now and then, and closes again."""

from service.cache.circuit_breaker import Breaker


def test_opens_and_tries_after_longer_and_longer_pauses() -> None:
    now = 0.0
    breaker = Breaker(2, clock=lambda: now)
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert breaker.is_open
    assert not breaker.allows()
    now = 1.1
    assert breaker.allows()
    assert not breaker.allows()  # another one while the first one tries
    breaker.failed()
    now = 2.5
    assert not breaker.allows()
    now = 3.2
    assert breaker.allows()
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.allows()


def test_the_pause_has_an_end() -> None:
    now = 0.0
    breaker = Breaker(1, clock=lambda: now)
    for _ in range(20):
        breaker.failed()
        now += 30.5
        assert breaker.allows()


def test_calls_that_fail_together_open_it_once() -> None:
    now = 0.0
    breaker = Breaker(3, clock=lambda: now)
    for _ in range(40):
        breaker.failed()
    now = 1.1
    assert breaker.allows()


def test_failures_count_only_in_a_row() -> None:
    breaker = Breaker(2)
    for _ in range(5):
        breaker.failed()
        breaker.succeeded()
    assert not breaker.is_open
