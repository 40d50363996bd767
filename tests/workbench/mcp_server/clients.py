"""The stock MCP client without async, over stdio and HTTP, and how our server is started for it."""

import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TextIO

import httpx
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult

from tests.patience import PATIENCE_SECONDS
from workbench import boot

TOKEN = "a-token-of-the-tests-0123456789"
ACCEPT = {"Accept": "application/json, text/event-stream"}
MINE = {**ACCEPT, "Authorization": f"Bearer {TOKEN}"}


@dataclass
class Client:
    """The stock client, without async."""

    portal: Any
    session: ClientSession

    def call(self, name: str, **arguments: Any) -> CallToolResult:
        return self.portal.call(self.session.call_tool, name, arguments)

    def data(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The answer, which must be the same as text and as data."""
        result = self.call(name, **arguments)
        assert not result.isError, result.content
        assert result.structuredContent == said(result)
        return said(result)

    def error(self, name: str, **arguments: Any) -> dict[str, Any]:
        result = self.call(name, **arguments)
        assert result.isError
        assert set(said(result)["error"]) >= {"code", "message", "alternatives"}
        return said(result)["error"]


def said(result: CallToolResult) -> dict[str, Any]:
    (block,) = result.content
    return json.loads(getattr(block, "text"))  # noqa: B009 (other kinds have none)


def environment(services: boot.Services) -> dict[str, str]:
    return {**os.environ, "LLMOPS_HOME": str(services.home), "LLMOPS_MCP_TOKEN": TOKEN}


def command(*arguments: str) -> list[str]:
    """Ctrl-C counts, also where the tests themselves run in a shell's background."""
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heeds}; from workbench.cli import main; main()"
    return [sys.executable, "-c", program, "mcp", *arguments]


@asynccontextmanager
async def over_stdio(services: boot.Services, errors: TextIO):
    python, *arguments = command()
    server = StdioServerParameters(
        command=python, args=arguments, env=environment(services), cwd=os.getcwd()
    )
    async with (
        stdio_client(server, errors) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def over_http(url: str):
    async with (
        httpx.AsyncClient(headers=MINE, timeout=PATIENCE_SECONDS) as http,
        streamable_http_client(url, http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session
