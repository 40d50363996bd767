"""Run by an interpreter that has mcp-proxy-for-aws and langchain-mcp-adapters: one measurement per line of stdin.

The first line says where and what to call; each other one "CLIENT open" or "CLIENT call", answered
by its seconds. Stands alone: nothing of ours is installed there.
"""

# pyright: reportMissingImports=false
import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

from botocore.session import Session
from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp import ClientSession
from mcp_proxy_for_aws.client import aws_iam_streamablehttp_client
from mcp_proxy_for_aws.sigv4_helper import SigV4HTTPXAuth

_SERVICE = "bedrock-agentcore"


class ProxyClient:
    """The official MCP client, signed by AWS's package: one session for all calls."""

    def __init__(self, asked: dict[str, Any], stack: AsyncExitStack):
        self._asked = asked
        self._stack = stack

    async def prepare(self) -> None:
        self._session = await self._connect(self._stack)

    async def open(self) -> None:
        async with AsyncExitStack() as stack:
            await (await self._connect(stack)).list_tools()

    async def call(self) -> None:
        result = await self._session.call_tool(self._asked["tool"], self._asked["arguments"])
        assert not result.isError, result

    async def _connect(self, stack: AsyncExitStack) -> ClientSession:
        read, write, _ = await stack.enter_async_context(
            aws_iam_streamablehttp_client(
                endpoint=self._asked["url"],
                aws_service=_SERVICE,
                aws_region=self._asked["region"],
            )
        )
        session = await stack.enter_async_context(ClientSession(read, write))
        await session.initialize()
        return session


class AdaptersClient:
    """LangChain tools, as its documentation makes them: a session for each call."""

    def __init__(self, asked: dict[str, Any]):
        auth = SigV4HTTPXAuth(Session().get_credentials(), _SERVICE, asked["region"])
        self._connection: Any = {"transport": "streamable_http", "url": asked["url"], "auth": auth}
        self._asked = asked

    async def prepare(self) -> None:
        tools = await self._client().get_tools()
        self._tool = next(tool for tool in tools if tool.name == self._asked["tool"])

    async def open(self) -> None:
        await self._client().get_tools()

    async def call(self) -> None:
        await self._tool.ainvoke(self._asked["arguments"])

    def _client(self) -> MultiServerMCPClient:
        return MultiServerMCPClient({"gateway": self._connection})


async def main() -> None:
    asked = json.loads(sys.stdin.readline())
    async with AsyncExitStack() as stack:
        clients: dict[str, Any] = {
            "mcp-proxy-for-aws": ProxyClient(asked, stack),
            "langchain-mcp-adapters": AdaptersClient(asked),
        }
        for client in clients.values():
            await client.prepare()
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, what = line.split()
            began = time.perf_counter()
            await getattr(clients[name], what)()
            print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
