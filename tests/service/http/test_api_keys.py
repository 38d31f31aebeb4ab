"""Keys open what they are for, and no more often than they may."""

import hashlib
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from key_file import write_keys
from limits.storage import memory

from semcore.errors import SemcoreError
from service.errors import (
    ForbiddenError,
    InvalidQueryError,
    OverloadedError,
    UnauthorizedError,
)
from service.http.api_keys import Keyring

JSON = {"content-type": "application/json"}


@pytest.mark.usefixtures("within_a_minute")
def test_scopes_and_rates(tmp_path: Path) -> None:
    keyring = Keyring.read(write_keys(tmp_path / "keys.json"), "root")
    assert not keyring.is_open
    assert keyring.check("seeker", "search") == "seeker"
    assert keyring.check("both", "admin") == "both"
    assert keyring.check("root", "admin") == "admin"
    with pytest.raises(ForbiddenError, match="'seeker' is not for admin"):
        keyring.check("seeker", "admin")
    for wrong in ("", "Seeker", hashlib.sha256(b"seeker").hexdigest()):
        with pytest.raises(UnauthorizedError, match="no such key"):
            keyring.check(wrong, "search")
    with pytest.raises(UnauthorizedError, match="needs a key"):
        keyring.check(None, "search")
    for _ in range(3):
        keyring.check("rare", "search")
    with pytest.raises(OverloadedError, match="3 times a minute"):
        keyring.check("rare", "search")
    keyring.check("seeker", "search")


def test_without_keys_everybody_searches_and_nobody_administers() -> None:
    keyring = Keyring.read(None, None)
    assert keyring.check(None, "search") == ""
    with pytest.raises(UnauthorizedError):
        keyring.check(None, "admin")


def test_says_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('[{"name": "a", "sha256": "short", "scopes": ["search"]}]')
    with pytest.raises(SemcoreError, match="sha256"):
        Keyring.read(tmp_path / "keys.json", None)
    with pytest.raises(SemcoreError, match="cannot be read"):
        Keyring.read(tmp_path / "none.json", None)


@pytest.mark.usefixtures("within_a_minute")
async def test_a_batch_counts_as_often_as_it_has_searches(guarded: httpx.AsyncClient) -> None:
    async def ask(searches: int) -> httpx.Response:
        body = {"queries": [{"query": f"a boat {n}"} for n in range(searches)]}
        return await guarded.post("/search/batch", json=body, headers={"X-API-Key": "rare"})

    never = await ask(4)
    assert never.status_code == 422
    assert "3 times a minute, and this has 4 searches" in never.json()["error"]
    assert "retry-after" not in never.headers
    assert (await ask(2)).status_code == 200
    refused = await ask(2)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 1
    assert (await ask(1)).status_code == 200  # what was refused was not counted
    assert (await ask(1)).status_code == 429


@pytest.mark.usefixtures("within_a_minute")
async def test_what_cannot_be_read_counts_too(guarded: httpx.AsyncClient) -> None:
    mine = {"X-API-Key": "rare"}
    statuses = [
        (await guarded.post("/search/batch", content=b"{", headers={**mine, **JSON})).status_code
        for _ in range(4)
    ]
    assert statuses == [400, 400, 400, 429]


@pytest.mark.parametrize("used", [[3], [1, 1, 1], [2, 0, 1], [3, 0, 0, 0, 0, 0, 2]])
@pytest.mark.parametrize("cost", [1, 2, 3])
def test_there_is_room_after_the_time_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: list[int], cost: int
) -> None:
    """``used``: searches, each ten seconds after the one before."""
    now = 3e9 + 7
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: now))
    keyring = Keyring.read(write_keys(tmp_path / "keys.json"), None)
    for searches in used:
        if searches:
            with suppress(OverloadedError):
                keyring.count("rare", searches)
        now += 10
    waits = []
    try:
        keyring.count("rare", cost)
    except OverloadedError as error:
        waits.append(error.retry_after)
    for wait in waits:
        assert wait is not None
        assert 1 <= wait <= 120
        now += wait
        keyring.count("rare", cost)
    with pytest.raises(InvalidQueryError, match="smaller batches"):
        keyring.count("rare", 4)
