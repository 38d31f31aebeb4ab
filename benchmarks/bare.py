"""A FastAPI application with one endpoint that answers the bytes of a file.

Arguments: the file, the port, the path, and 1 for uvicorn's line a request.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response


def create_bare(path: str, answer: bytes) -> FastAPI:
    app = FastAPI()

    @app.post(path)
    async def bare() -> Response:
        return Response(answer, media_type="application/json")

    return app


if __name__ == "__main__":
    file, port, path, logs = sys.argv[1:]
    app = create_bare(path, Path(file).read_bytes())
    uvicorn.run(app, port=int(port), access_log=logs == "1")
