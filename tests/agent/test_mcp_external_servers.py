"""Which external MCP servers are configured, and what is wrong with a configuration."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.external_servers import read_servers, token_of
from agent.external_tools import CombinedGateway, open_tools
from agent.gateway import LambdaGateway
from mlops.aws.clients import Aws
from mlops.errors import RequestError
from mlops.settings import Settings
from tests.agent.world import credentials

WIKI: dict[str, Any] = {
    "name": "wiki",
    "url": "https://wiki.example.com/mcp",
    "allowed_tools": ["*"],
}
SECRET = "sesame-0123456789"


def test_inline_json_or_a_file_say_the_same(tmp_path: Path):
    inline = json.dumps([WIKI])
    (tmp_path / "a.json").write_text(json.dumps({"servers": [WIKI]}))
    (tmp_path / "a.toml").write_text(
        '[[servers]]\nname = "wiki"\nurl = "https://wiki.example.com/mcp"\nallowed_tools = ["*"]\n'
    )
    found = [read_servers(s) for s in (inline, f"{tmp_path}/a.json", f"{tmp_path}/a.toml")]
    assert found[0] == found[1] == found[2]
    assert (found[0][0].name, found[0][0].auth, found[0][0].timeout_seconds) == (
        "wiki",
        "none",
        30,
    )
    assert read_servers(None) == read_servers("") == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "http://wiki.example.com/mcp"}, "use https"),
        ({"url": "http://127.0.0.1.example.com/mcp"}, "use https"),
        ({"url": "file:///etc/passwd"}, "use https"),
        ({"url": "https://me:pass@wiki.example.com/mcp"}, "secrets belong in a variable"),
        ({"url": "https://wiki.example.com/mcp?key=1"}, "secrets belong in a variable"),
        ({"url": "https://[bad/mcp"}, "url"),
        ({"name": "Wi_ki"}, "name"),
        ({"name": "w" * 25}, "name"),
        ({"allowed_tools": []}, "allowed_tools"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"auth": "bearer"}, "token_variable"),
        ({"token_variable": "X"}, "token_variable"),
        ({"auth": "sigv4"}, "service"),
        ({"region": "us-east-1"}, "region"),
        ({"spends": True}, "spends"),
    ],
)
def test_a_wrong_server_is_explained(changes: dict[str, Any], says: str):
    with pytest.raises(RequestError) as caught:
        read_servers(json.dumps([WIKI | changes]))
    assert caught.value.code == "bad_setting"
    assert "LLMOPS_MCP_SERVERS: servers" in caught.value.message and says in caught.value.message
    assert "pass@" not in caught.value.message


@pytest.mark.parametrize("text", ["[", "{}", '{"servers": 7}', "/no/such/file", "[[1]]"])
def test_what_is_no_list_of_servers_is_said(text: str):
    with pytest.raises(RequestError, match="LLMOPS_MCP_SERVERS"):
        read_servers(text)


def test_two_servers_of_one_name_are_refused():
    with pytest.raises(RequestError, match="two servers are called wiki"):
        read_servers(json.dumps([WIKI, WIKI]))


def test_a_token_comes_from_its_variable_alone():
    (server,) = read_servers(json.dumps([WIKI | {"auth": "bearer", "token_variable": "WIKI"}]))
    token = token_of(server, {"WIKI": SECRET})
    assert token is not None and token.get_secret_value() == SECRET
    for environ in ({}, {"WIKI": " "}, {"WIKI": "a\nb"}):
        with pytest.raises(RequestError, match="set WIKI"):
            token_of(server, environ)


def opened(environ: dict[str, str]) -> Any:
    return open_tools(Aws(Settings.from_env(environ), credentials()), environ)


def test_opening_checks_all_and_calls_nobody():
    assert isinstance(opened({}), LambdaGateway)
    servers = [
        WIKI | {"auth": "bearer", "token_variable": "WIKI"},
        WIKI | {"name": "calc", "auth": "sigv4", "service": "execute-api", "region": "eu-west-1"},
        WIKI | {"name": "free"},
    ]
    setting = {"LLMOPS_MCP_SERVERS": json.dumps(servers)}
    assert isinstance(opened(setting | {"WIKI": SECRET}), CombinedGateway)
    with pytest.raises(RequestError, match="set WIKI"):
        opened(setting)
