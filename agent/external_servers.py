"""LLMOPS_MCP_SERVERS in, the external MCP servers that it names out: all checked before any is called."""

import json
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from mlops.errors import RequestError, explain_validation
from mlops.settings import is_loopback

VARIABLE = "LLMOPS_MCP_SERVERS"


class Auth(StrEnum):
    """How a server is told who calls."""

    NONE = "none"
    BEARER = "bearer"
    SIGV4 = "sigv4"


class ExternalServer(BaseModel):
    """One MCP server. Its token is not here: only the variable that holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9](-?[a-z0-9])*$", max_length=24)
    url: str
    auth: Auth = Auth.NONE
    token_variable: str | None = None
    service: str | None = None
    region: str | None = None
    allowed_tools: tuple[str, ...] = Field(min_length=1, description="shell patterns")
    timeout_seconds: float = Field(default=30, gt=0, le=300)

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("a URL has no user, query or fragment; secrets belong in a variable")
        local = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not parts.hostname or not (parts.scheme == "https" or local):
            raise ValueError("use https:// (http:// only for 127.0.0.1 or localhost)")
        return url

    @model_validator(mode="after")
    def _authorised(self) -> "ExternalServer":
        if (self.auth is Auth.BEARER) != (self.token_variable is not None):
            raise ValueError("token_variable belongs to auth bearer, and bearer needs it")
        if (self.auth is Auth.SIGV4) != (self.service is not None):
            raise ValueError("service belongs to auth sigv4, and sigv4 needs it")
        if self.region is not None and self.auth is not Auth.SIGV4:
            raise ValueError("region belongs to auth sigv4")
        return self


class _Listed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: tuple[ExternalServer, ...]

    @field_validator("servers")
    @classmethod
    def _apart(cls, servers: tuple[ExternalServer, ...]) -> tuple[ExternalServer, ...]:
        names = [server.name for server in servers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two servers are called {', '.join(twice)}")
        return servers


def read_servers(setting: str | None) -> tuple[ExternalServer, ...]:
    """From inline JSON, or from a JSON or TOML file; RequestError says what is wrong with it."""
    if not setting:
        return ()
    try:
        found = _parsed(setting.strip())
        return _Listed.model_validate(
            {"servers": found} if isinstance(found, list) else found
        ).servers
    except ValidationError as error:
        raise _bad(explain_validation(error)) from error
    except OSError as error:
        raise _bad(f"{setting[:200]} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _bad(f"it is no JSON or TOML: {str(error)[:200]}") from error


def token_of(server: ExternalServer, environ: Mapping[str, str]) -> SecretStr | None:
    """RequestError when the variable of a bearer token is not set."""
    if server.token_variable is None:
        return None
    token = environ.get(server.token_variable, "").strip()
    if not token or not token.isascii() or not token.isprintable():
        raise _bad(f"{server.name}: set {server.token_variable} to the token of this server.")
    return SecretStr(token)


def _parsed(text: str) -> Any:
    if text.startswith(("[", "{")):
        return json.loads(text)
    path = Path(text).expanduser()
    content = path.read_text(encoding="utf-8")
    return tomllib.loads(content) if path.suffix == ".toml" else json.loads(content)


def _bad(why: str) -> RequestError:
    return RequestError("bad_setting", f"{VARIABLE}: {why}")
