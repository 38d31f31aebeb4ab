"""Keys open what they are for, and no more often than they may."""

import hashlib
from pathlib import Path

import httpx
import pytest
from key_file import write_keys

from semcore.errors import SemcoreError
from service.errors import ForbiddenError, OverloadedError, UnauthorizedError
from service.keys import Keyring


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
async def test_guards_the_routes(guarded: httpx.AsyncClient) -> None:
    body = {"query": "a boat"}

    async def status(headers: dict[str, str]) -> int:
        response = await guarded.post("/search/text-to-image", json=body, headers=headers)
        return response.status_code

    assert await status({}) == 401
    assert await status({"X-API-Key": "wrong"}) == 401
    assert await status({"X-API-Key": "seeker"}) == 200
    assert await status({"Authorization": "Bearer seeker"}) == 200
    assert [await status({"X-API-Key": "rare"}) for _ in range(4)] == [200, 200, 200, 429]
    for address in ("/admin/index", "/admin/index/reload", "/admin/index/rollback", "/admin/items"):
        method = "GET" if address == "/admin/index" else "POST"
        assert (await guarded.request(method, address, json={})).status_code == 401
        mine = {"X-API-Key": "seeker"}
        assert (await guarded.request(method, address, json={}, headers=mine)).status_code == 403
    assert (await guarded.get("/admin/index", headers={"X-API-Key": "both"})).status_code == 200
    assert (await guarded.get("/items/anything")).status_code == 401
    for address in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert (await guarded.get(address)).status_code == 200
    schemes = (await guarded.get("/openapi.json")).json()["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"apiKey", "http"}
