"""The pages for people: static files, without a build step and without anything from elsewhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from string import Template
from typing import Literal

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse, HTMLResponse

from service.errors import NotFoundError
from service.http.auth import Serving, require
from service.schemas.answer import ERRORS

_FOLDER = Path(__file__).parent / "pages"
_PLACES = {"search": "/", "explore": "/explore", "evaluate": "/evaluate", "admin": "/admin"}
_TOP_K = 12  # items that the search page asks for at first
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {file.name: file for file in _FOLDER.iterdir() if file.suffix in _KINDS}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_UNTRAINED = (
    '<p class="notice" id="untrained">This index has no model yet: its guide alone ranks what is '
    "found.</p>"
)

Report = Literal["results.json", "survival.png", "reliability.png"]

router = APIRouter(tags=["report"], responses=ERRORS)


async def _page(page: Template, retrieval: Serving) -> Response:
    settings = retrieval.settings
    html = page.substitute(
        top_k=min(_TOP_K, settings.max_top_k),
        max_top_k=settings.max_top_k,
        beam_width=settings.beam_width,
        max_beam_width=settings.max_beam_width,
        untrained=_UNTRAINED if retrieval.lifecycle.current.bundle.model is None else "",
    )
    return HTMLResponse(html, headers=_HEADERS)


for _name, _place in _PLACES.items():
    _html = Template((_FOLDER / "layout.html").read_text()).substitute(
        title=_name.capitalize(), name=_name, main=(_FOLDER / f"{_name}.html").read_text()
    )
    router.add_api_route(
        _place, partial(_page, Template(_html)), name=_name, include_in_schema=False
    )


@router.get("/pages/{name}", include_in_schema=False)
async def file(name: str) -> Response:
    """What pages are made of."""
    if name not in _FILES:
        raise NotFoundError(f"no page has a file {name!r}")
    path = _FILES[name]
    return FileResponse(path, media_type=_KINDS[path.suffix], headers=_HEADERS)


@router.get(
    "/report/{name}", response_class=FileResponse, dependencies=[Depends(require("search"))]
)
async def report(name: Report, retrieval: Serving) -> FileResponse:
    """A file of the report that ``semcore evaluate --out`` has written."""
    folder = retrieval.settings.report
    if folder is None or not (folder / name).is_file():
        raise NotFoundError(
            "there is no report; write one with 'semcore evaluate --out report/' and name its "
            "folder in SEMCORE_REPORT"
        )
    return FileResponse(folder / name, headers={"Cache-Control": "no-cache"})
