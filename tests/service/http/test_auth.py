"""Each route wants the key that it is for, however that is sent."""

from pathlib import Path

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from key_file import write_keys

from semcore.errors import SemcoreError
from service.http.api_keys import Keyring
from service.http.auth import admit, count, require
from service.http.error_responses import failed


@pytest.fixture
def keyed(tmp_path: Path) -> FastAPI:
    """An application of which one route is for searches, and says whose key it was."""
    app = FastAPI()
    app.state.keyring = Keyring.read(write_keys(tmp_path / "keys.json"), None)

    @app.get("/", dependencies=[Depends(require("search"))])
    def answer(request: Request) -> str:
        return str(request.state.key)

    @app.exception_handler(SemcoreError)
    async def _(_request: Request, error: SemcoreError) -> httpx.Response:
        return failed(error)

    return app


async def answered(app: FastAPI, headers: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/", headers=headers)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"X-API-Key": "seeker"}, "seeker"),
        ({"Authorization": "Bearer seeker"}, "seeker"),
        ({"Authorization": "bearer seeker"}, "seeker"),
        ({"X-API-Key": "both", "Authorization": "Bearer seeker"}, "both"),
    ],
)
async def test_a_key_is_a_header_or_a_bearer_token(
    keyed: FastAPI, headers: dict[str, str], name: str
) -> None:
    assert (await answered(keyed, headers)).json() == name


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "none"},
        {"Authorization": "seeker"},
        {"Authorization": "Basic seeker"},
        {"X-API-Key": "none", "Authorization": "Bearer seeker"},
    ],
)
async def test_what_is_no_key_is_refused(keyed: FastAPI, headers: dict[str, str]) -> None:
    refused = await answered(keyed, headers)
    assert refused.status_code == 401
    assert "X-API-Key" in refused.json()["error"]


@pytest.mark.usefixtures("within_a_minute")
def test_a_request_counts_once_however_often_it_is_looked_at(keyed: FastAPI) -> None:
    def request() -> Request:
        headers = [(b"x-api-key", b"rare")]  # which may be used three times a minute
        return Request({"type": "http", "app": keyed, "headers": headers})

    for _ in range(2):
        one = request()
        admit(one, "search")
        admit(one, "search")
    batch = request()
    admit(batch, "search", cost=0)
    admit(request(), "search")
    with pytest.raises(SemcoreError, match="3 times a minute"):
        count(batch, 1)


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
