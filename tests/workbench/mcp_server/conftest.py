"""Our MCP server on a real embedded AWS, and the stock client connected to it both ways."""

import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from localaws import stack
from tests.patience import PATIENCE_SECONDS
from tests.workbench.mcp_server.clients import Client, command, environment, over_http, over_stdio
from workbench import boot
from workbench.workbench import Workbench


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[boot.Services]:
    home = tmp_path_factory.mktemp("mcp") / "home"
    made = boot.services(home, {})
    yield made
    made.turns.close()
    stack.stop(home)


@pytest.fixture(scope="module")
def bench(services: boot.Services) -> Workbench:
    made = Workbench(services)
    made.prepare("cier-small")
    return made


@pytest.fixture(scope="module")
def url(services: boot.Services) -> Iterator[str]:
    with subprocess.Popen(
        command("--http", "--port", "0"),
        env=environment(services),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        yield process.stderr.readline().split()[-1]
        process.send_signal(signal.SIGINT)
        assert (process.wait(PATIENCE_SECONDS), process.stderr.read()) == (0, "")


@pytest.fixture(scope="module", params=["stdio", "http"])
def client(
    request: pytest.FixtureRequest,
    services: boot.Services,
    bench: Workbench,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    log = tmp_path_factory.mktemp("stdio") / "stderr"
    with log.open("w") as errors, start_blocking_portal() as portal:
        opened: Any = (
            over_stdio(services, errors)
            if request.param == "stdio"
            else over_http(request.getfixturevalue("url"))
        )
        with portal.wrap_async_context_manager(opened) as session:
            yield Client(portal, session)
    assert log.read_text() == ""
