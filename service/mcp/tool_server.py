"""The tools as the protocol has them. Importing the SDK takes a second, which only those spend who
use it: see :mod:`service.mcp.endpoint`."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as ToolEntry
from pydantic import ValidationError
from starlette.requests import Request

from semcore.errors import SemcoreError
from service.http.auth import count
from service.http.disconnect import unless_gone
from service.mcp.tools import TOOLS, Tool
from service.retrieval import Retrieval

_INSTRUCTIONS = (
    "An index of pictures and texts. search_images finds pictures for a text, search_texts finds "
    "texts for a picture, similar finds items like one, and why tells how a search came to an item "
    "or lost it."
)


def tool_sessions(version: str, max_body_bytes: int) -> StreamableHTTPSessionManager:
    """Answers each request by itself and in JSON, so that any replica may take the next one."""
    server: Server[Any] = Server(
        "semcore",
        version=version,
        instructions=_INSTRUCTIONS,
        on_list_tools=_listed,
        on_call_tool=_called,
    )
    return StreamableHTTPSessionManager(
        server, json_response=True, stateless=True, max_request_body_size=max_body_bytes
    )


async def _listed(
    _context: ServerRequestContext[Any, Any], _page: PaginatedRequestParams | None
) -> ListToolsResult:
    return ListToolsResult(tools=[_entry(tool) for tool in TOOLS.values()])


async def _called(
    context: ServerRequestContext[Any, Any], called: CallToolRequestParams
) -> CallToolResult:
    """The answer, or an error in one sentence, which the language model reads."""
    request: Request | None = context.request
    assert request is not None
    retrieval: Retrieval = request.app.state.retrieval
    try:
        count(request, 1)
        tool = TOOLS.get(called.name)
        if tool is None:
            return _refused(f"there is no tool {called.name!r}; there are {', '.join(TOOLS)}")
        given = tool.model_validate(called.arguments or {})
        answer = await given.answer(retrieval, partial(unless_gone, request))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        return _refused(f"{place}: {first['msg']}" if place else first["msg"])
    except SemcoreError as error:
        return _refused(str(error))
    return CallToolResult(
        content=[TextContent(type="text", text=answer.model_dump_json())],
        structured_content=answer.model_dump(mode="json"),
    )


def _entry(tool: type[Tool]) -> ToolEntry:
    return ToolEntry(
        name=tool.name,
        description=inspect.cleandoc(tool.__doc__ or "").replace("\n", " "),
        input_schema=tool.model_json_schema(),
        output_schema=tool.answers.model_json_schema(mode="serialization"),
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )


def _refused(sentence: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=sentence)], is_error=True)
