"""Requests that a hostile client sends: made of the OpenAPI document of a service, every route and
field of it, each with values that are too long, too deep, too many or of another kind."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from PIL import Image

_BOUNDARY = "boundary"
_LENGTHS = (5_000, 300_000, 20_000_000)  # characters: of a long query, of a long body, of a picture
_METHODS = ("get", "post", "delete")


@dataclass(frozen=True, slots=True)
class Attack:
    """One request. ``length``: the body's, as the client says it, where that is a lie."""

    name: str
    method: str
    path: str
    body: bytes = field(default=b"", repr=False)
    kind: str = "application/json"
    length: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def head(self) -> bytes:
        size = len(self.body) if self.length is None else self.length
        lines = [
            f"{self.method} {self.path} HTTP/1.1", "Host: service", "Connection: close",
            f"Content-Type: {self.kind}", f"Content-Length: {size}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]  # fmt: skip
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass")


def attacks(document: Mapping[str, Any]) -> Iterator[Attack]:
    """Those on every route and field of an OpenAPI document, and on what no document tells of."""
    for path, route in document["paths"].items():
        for method in _METHODS:
            if method in route:
                yield from _on_route(document, path, method.upper(), route[method])
    for path in ("/search/text-to-image", "/search/image-to-text", "/search/batch"):
        yield from _on_body(path)
    yield from _on_pictures()


def _on_route(
    document: Mapping[str, Any], path: str, method: str, route: Mapping[str, Any]
) -> Iterator[Attack]:
    where = f"{method} {path}"
    parameters = [p for p in route.get("parameters", ()) if p["in"] in ("path", "query")]
    usual = {p["name"]: "x" for p in parameters if p["in"] == "path"}
    plain = _filled(path, usual)
    for name, place in ((p["name"], p["in"]) for p in parameters):
        for said, value in _texts(60_000):
            query = urlencode({name: value}, errors="surrogatepass")
            to = _filled(path, {**usual, name: value}) if place == "path" else f"{plain}?{query}"
            yield Attack(f"{where} {name} {said}", method, to)
    yield Attack(where, method, plain)
    yield Attack(f"{where} long header", method, plain, headers={"X-Long": 900_000 * "a"})
    content = route.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        schema = _resolved(document, content["application/json"]["schema"])
        example = schema.get("examples", [{}])[0]
        for at, inner in _fields(document, schema):
            for said, value in _values(inner):
                body = json.dumps(_with(example, at, value)).encode()
                yield Attack(f"{where} {'.'.join(at)} {said}", method, plain, body)


def _on_body(path: str) -> Iterator[Attack]:
    bodies = {
        "no JSON": b"{" * 1000,
        "deep": b"[" * 250_000,
        "numbers": b'{"queries":[' + b"1," * 5_000_000 + b"1]}",
        "lists": b'{"queries":[' + b"[]," * 5_000_000 + b"[]]}",
        "fields": b"{" + b",".join(b'"a%d":1' % n for n in range(25_000)) + b"}",
        "spaces": b" " * 290_000,
        "zeros": bytes(290_000),
        "long number": b'{"query":' + b"9" * 290_000 + b"}",
        "searches": json.dumps({"queries": [_dear(n) for n in range(100)]}).encode(),
        "filters": json.dumps({"queries": [_filtered(n) for n in range(100)]}).encode(),
    }
    for said, body in bodies.items():
        yield Attack(f"{path} {said}", "POST", path, body)
    yield Attack(f"{path} says it is long", "POST", path, b"{}", length=10**12)
    yield Attack(f"{path} ends early", "POST", path, b'{"query": "a', length=200_000)


def _on_pictures() -> Iterator[Attack]:
    path = "/search/image-to-text"
    form = {
        "large picture": _png(7000, 7000),
        "too large a picture": _png(30_000, 30_000, mode="1"),
        "zeros": bytes(19_000_000),
        "cut": _png(2000, 2000)[:-100],
    }
    for said, content in form.items():
        yield Attack(f"{path} {said}", "POST", path, _form({"image": content}), _MULTIPART)
        body = json.dumps({"image": base64.b64encode(content).decode()}).encode()
        yield Attack(f"{path} {said} in JSON", "POST", path, body)
    many = [
        {"image": base64.b64encode(_png(7000, 7000)).decode(), "top_k": n + 1} for n in range(8)
    ]
    yield Attack(
        "batch of large pictures", "POST", "/search/batch", json.dumps({"queries": many}).encode()
    )
    parts = {f"part{n}": b"1" for n in range(5000)}
    odd = {
        "parts": _form({"image": _png(8, 8), **parts}),
        "endless header": _form({"x" * 5_000_000: b"1"}),
        "no end": _form({"image": b"\r\n--" * 4_000_000})[:-20],
    }
    for said, body in odd.items():
        yield Attack(f"{path} {said}", "POST", path, body, _MULTIPART)


_MULTIPART = f"multipart/form-data; boundary={_BOUNDARY}"


def _texts(longest: int) -> Iterator[tuple[str, str]]:
    yield "long", "x" * longest
    yield "in words", "x " * (longest // 2)
    yield "odd", "\x00\u202e\ufffe../../etc/passwd<|im_end|>"
    yield "empty", ""


def _values(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Of all kinds, since each is hostile to a field of another."""
    yield from _texts(_LENGTHS[0])
    yield "long body", "x" * _LENGTHS[1]
    if schema.get("type") == "string" and "maxLength" not in schema:
        yield "as long as a picture", "x" * _LENGTHS[2]
    yield "nothing", None
    yield "a number", 10**30
    yield "less than nothing", -1
    yield "most", schema.get("maximum", 100)
    yield "yes", True
    yield "many", [None] * 50_000
    yield "many texts", ["x" * 900] * 300
    yield "deep", _nested(60)
    yield "an object", {f"a{n}": n for n in range(10_000)}


def _fields(
    document: Mapping[str, Any], schema: Mapping[str, Any], at: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        found = _resolved(document, inner)
        yield (*at, name), found
        if len(at) < 1:
            yield from _fields(document, found, (*at, name))


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    for one in schema.get("anyOf", [schema]):
        found: Mapping[str, Any] = one
        while "$ref" in found:
            found = document["components"]["schemas"][found["$ref"].rpartition("/")[2]]
        if found.get("type") != "null":
            return found
    return {}


def _with(example: Any, at: tuple[str, ...], value: Any) -> Any:
    base = example if isinstance(example, dict) else {}
    if len(at) == 1:
        return {**base, at[0]: value}
    return {**base, at[0]: _with(base.get(at[0]), at[1:], value)}


def _nested(depth: int) -> Any:
    return {"not": _nested(depth - 1)} if depth else {"field": "year", "gte": 1}


def _dear(number: int) -> dict[str, Any]:
    """A search with the most of everything."""
    return {
        "query": f"{number} boats", "top_k": 100, "beam_width": 100, "verify": "always",
        "describe": True, "explain": True, "profile": True, "commonness": True,
        "timeout_ms": 2_000,
    }  # fmt: skip


def _filtered(number: int) -> dict[str, Any]:
    values = [f"{number} {n}" for n in range(200)]
    wanted = {"not": {"or": [{"field": "tags", "in": values}] * 5}}
    return {"query": "boats", "top_k": 1, "beam_width": 1, "filter": wanted, "verify": "never"}


def _filled(path: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        told = quote(value, safe="", errors="surrogatepass")
        path = path.replace(f"{{{name}}}", told).replace(f"{{{name}:path}}", told)
    return path


def _form(parts: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    for name, content in parts.items():
        file = '; filename="a.png"' if name == "image" else ""
        said = f'Content-Disposition: form-data; name="{name}"{file}'
        written.write(f"--{_BOUNDARY}\r\n{said}\r\n\r\n".encode() + content + b"\r\n")
    written.write(f"--{_BOUNDARY}--\r\n".encode())
    return written.getvalue()


@cache
def _png(width: int, height: int, mode: str = "L") -> bytes:
    content = io.BytesIO()
    Image.new(mode, (width, height)).save(content, "PNG", compress_level=1)
    return content.getvalue()
