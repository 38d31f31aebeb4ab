"""Each route wants the key that it is for, however that is sent."""

import httpx
import pytest


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
