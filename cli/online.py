"""``semcore serve | search | evaluate``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from semcore.errors import SemcoreError

Url = Annotated[str, typer.Option(help="Address of the service.")]
Served = Annotated[Path, typer.Argument(help="The bundle that the service serves.")]
_Split = Annotated[str, typer.Option(help="Split of the queries.")]
_Limit = Annotated[int, typer.Option(min=1, help="Most queries a direction.")]
_Beams = Annotated[int, typer.Option(min=1, help="Beams.")]
DEFAULT_URL = "http://127.0.0.1:8080"


def serve(
    bundle: Annotated[
        Path | None, typer.Argument(help="Index bundle; default: SEMCORE_BUNDLE.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address; default: SEMCORE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default: SEMCORE_PORT.")] = None,
) -> None:
    """Serve a trained bundle over HTTP. All settings are environment variables; see README."""
    from service.app import create_app
    from service.server import run
    from service.settings import Settings

    given: dict[str, Any] = {"bundle": bundle, "host": host, "port": port}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    from semcore.bundle import check_bundle

    check_bundle(settings.bundle)
    typer.echo(f"serving {settings.bundle} at http://{settings.host}:{settings.port}")
    run(create_app(settings), settings)


def search(
    query: Annotated[str, typer.Argument(help="A text, or the path of a picture.")],
    url: Url = DEFAULT_URL,
    top_k: Annotated[int, typer.Option(min=1, help="Items wanted.")] = 10,
    beam_width: Annotated[int | None, typer.Option(min=1, help="Beams.")] = None,
    verify: Annotated[
        str, typer.Option(help="Let the model judge the best: auto, always or never.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Search a running service by a text or by a picture."""
    options: dict[str, Any] = {"top_k": top_k, "verify": verify}
    if beam_width is not None:
        options["beam_width"] = beam_width
    try:
        answer = ask(url, query, options)
    except httpx.HTTPError as error:
        raise SemcoreError(
            f"no service answers at {url} ({error}); start 'semcore serve'"
        ) from error
    if as_json:
        typer.echo(answer.text)
    else:
        print_items(answer.json())


def evaluate(
    bundle: Served,
    url: Url = DEFAULT_URL,
    split: _Split = "test",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most queries a direction; all if left out.")
    ] = None,
    beam_width: _Beams = 20,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report; run again, it asks only what it does not hold."),
    ] = None,
) -> None:
    """Measure recall on held-out queries: in full, without GSV, and without the constraint."""
    from offline import evaluation
    from offline.report import write_report

    found = asyncio.run(
        evaluation.evaluate(
            url, bundle, split=split, limit=limit, beam_width=beam_width, folder=out
        )
    )
    typer.echo(evaluation.markdown_table(found.rows))
    if out is not None:
        write_report(found, bundle, split, out)
        typer.echo(f"the report is {out / 'report.md'}")


def calibrate(
    bundle: Served,
    url: Url = DEFAULT_URL,
    split: _Split = "val",
    limit: _Limit = 300,
    beam_width: _Beams = 20,
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Share of first places that may differ.")
    ] = 0.01,
) -> None:
    """Find out how to weigh candidates, and when to leave verification out; then reload the bundle,
    which holds that from now on."""
    from offline.calibration import calibrate as measure

    found = asyncio.run(
        measure(url, bundle, split=split, limit=limit, beam_width=beam_width, tolerance=tolerance)
    )
    for one in found:
        weights, margin = one.calibration, one.margin
        typer.echo(
            f"{one.direction}: log-probability, less {weights.commonness:.2f} of that without a "
            f"query, times {weights.prior:.2f} and log-odds times {weights.evidence:.2f}; from a "
            f"lead of {margin.margin:.3g} nats on, {100 * margin.left_out:.0f} % of the searches, "
            f"no verification; of all, {100 * margin.changed:.1f} % would have had another first "
            "item"
        )


def ask(
    url: str, query: str, options: dict[str, Any], client: httpx.Client | None = None
) -> httpx.Response:
    """One search; ``query`` is a text or the path of an existing picture.

    Raises ``httpx.HTTPError`` if nothing answers and :class:`SemcoreError` on an error answer.
    """
    post = httpx.post if client is None else client.post
    path = Path(query)
    if len(query) < os.pathconf("/", "PC_PATH_MAX") and path.is_file():
        fields = {name: str(value).lower() for name, value in options.items()}
        files = {"image": (path.name, path.read_bytes())}
        address = f"{url}/search/image-to-text"
        response = post(address, data=fields, files=files, timeout=600)
    else:
        body = {"query": query, **options}
        response = post(f"{url}/search/text-to-image", json=body, timeout=600)
    if response.status_code != httpx.codes.OK:
        raise SemcoreError(f"the service answered {response.status_code}: {response.text}")
    return response


def print_items(answer: dict[str, Any]) -> None:
    """A table of the ranked items, and the timings."""
    table = Table("rank", "item", "identifier", "logprob", "verified", "picture or text")
    for item in answer["items"]:
        verified = item["verification"]
        table.add_row(
            str(item["rank"]),
            item["id"],
            item["identifier"]["text"],
            f"{item['logprob']:.2f}",
            "" if verified is None else f"{verified:.2f}",
            item["image"] or item["text"],
        )
    console = Console()
    console.print(table)
    timings = ", ".join(f"{stage} {value:.0f} ms" for stage, value in answer["timings"].items())
    told = "from the cache" if answer["cached"] else timings
    console.print(f"index {answer['index_version']}, {told}")
