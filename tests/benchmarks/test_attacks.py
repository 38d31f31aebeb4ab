"""Every route and field of the contract is attacked."""

import json

from benchmarks.attacks import attacks
from service.openapi import FILE


def test_every_route_and_field_is_attacked() -> None:
    document = json.loads(FILE.read_text())
    found = list(attacks(document))
    names = {attack.name for attack in found}
    for path, route in document["paths"].items():
        for method in route:
            assert f"{method.upper()} {path}" in names
    for model, path in (("TextQuery", "text-to-image"), ("ImageQuery", "image-to-text")):
        for field in document["components"]["schemas"][model]["properties"]:
            assert f"POST /search/{path} {field} long" in names
    assert max(len(attack.body) for attack in found) > 20_000_000
    for attack in found:
        assert attack.head.endswith(b"\r\n\r\n")
        assert b"\n" not in attack.path.encode("utf-8", "surrogatepass")
