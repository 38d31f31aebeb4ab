"""A place in the tree of identifiers, drawn from what a service tells."""

from typing import Any

from rich.console import Console

from cli.place import print_item, print_place


def item(name: str, identifier: str, **more: Any) -> dict[str, Any]:
    own = {"id": name, "kind": "image", "text": None, "image": f"/items/{name}/image"}
    return {**own, "identifier": {"text": identifier}, "metadata": {}, **more}


def place(
    identifier: str, count: int, branches: dict[str, int], items: list[dict[str, Any]]
) -> dict[str, Any]:
    told = [{"identifier": one, "items": size, "words": []} for one, size in branches.items()]
    return {
        "kind": "image", "identifier": identifier, "count": count, "branches": told,
        "more_branches": 0, "items": items,
    }  # fmt: skip


def drawn(told: dict[str, Any]) -> list[str]:
    console = Console(width=100)
    with console.capture() as capture:
        print_place(told, console)
    return capture.get().splitlines()


def test_few_items_are_drawn_with_all_that_leads_to_them() -> None:
    items = [
        item("a", "<g1> boat red two"),
        item("b", "<g1> boat red two"),
        item("c", "<g1> boat red three"),
        item("d", "<g1> cat"),
        item("e", "<g1>"),
    ]
    assert drawn(place("<g1>", 5, {"<g1> boat": 3, "<g1> cat": 1}, items)) == [
        "<g1>  5 images",
        "├── e",
        "├── boat red  3",
        "│   ├── two  2",
        "│   │   ├── a",
        "│   │   └── b",
        "│   └── three  c",
        "└── cat  d",
    ]


def test_of_many_items_the_branches_are_counted() -> None:
    told = place("", 90, {"<g1>": 50, "<g2>": 37}, [item("a", "<g1> boat")])
    told["branches"][0]["words"] = ["boat", "sea"]
    told["more_branches"] = 3
    assert drawn(told) == [
        "all  90 images",
        "├── <g1>  50  boat sea",
        "├── <g2>  37",
        "└── and 3 more",
    ]


def test_of_an_identifier_the_first_items() -> None:
    items = [item("a", "<g1> boat"), item("[b]", "<g1> boat", text="[red] boats")]
    assert drawn(place("<g1> boat", 5, {}, items)) == [
        "<g1> boat  5 images",
        "├── a",
        "├── [b]  [red] boats",
        "└── and 3 more",
    ]


def test_an_item_that_shares_its_identifier_with_many() -> None:
    one = item("a", "<g1> boat", metadata={"tags": ["x", "y"]})
    console = Console(width=100)
    with console.capture() as capture:
        sharing = [item("b", "<g1> boat")]
        print_item({"item": one, "sharing": sharing, "more_sharing": 200}, console)
        print_item({"item": one, "sharing": [], "more_sharing": 0}, console)
    shown = capture.get()
    assert 'tags        ["x", "y"]' in shown
    assert "text" not in shown
    assert "share this identifier: 201 more" in shown
    assert "and 200 more" in shown
    assert "no other item has this identifier" in shown
