"""One page at a time, drawn from a workbench without a back end."""

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import session
from tests.fake_workbench import FakeWorkbench
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
Draw = Callable[..., AppTest]
Meanwhile = Callable[[str, Callable[[], object]], None]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> FakeWorkbench:
    fake = FakeWorkbench()
    monkeypatch.setattr(session, "workbench", lambda: fake)
    st.cache_data.clear()
    return fake


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Something that happens elsewhere, once, just before a named part of a page runs."""
    waiting: dict[str, Callable[[], object]] = {}
    real = st.fragment

    def fragment(part: Callable[..., None], run_every: float | None = None) -> Callable[..., None]:
        happen = waiting.pop(part.__name__, None)
        if happen is not None:
            happen()
        return real(part, run_every=run_every)

    monkeypatch.setattr(st, "fragment", fragment)
    return waiting.__setitem__


@pytest.fixture
def draw(bench: FakeWorkbench) -> Draw:
    """Opens a page as the router does, with query parameters; never with an exception."""

    def open_page(name: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=PATIENCE_SECONDS)
        for key, value in query.items():
            at.query_params[key] = value
        at.run()
        if name != "chat":
            at.switch_page(f"../pages/{name}.py").run()
        assert not at.exception
        return at

    return open_page
