"""One page at a time, drawn from a workbench without a back end."""

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import session
from tests.fake_workbench import FakeWorkbench

ROOT = Path(__file__).resolve().parents[2]
Draw = Callable[..., AppTest]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> FakeWorkbench:
    fake = FakeWorkbench()
    monkeypatch.setattr(session, "workbench", lambda: fake)
    st.cache_data.clear()
    return fake


@pytest.fixture
def draw(bench: FakeWorkbench) -> Draw:
    """Opens a page as the router does, with query parameters; never with an exception."""

    def open_page(name: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=20)
        for key, value in query.items():
            at.query_params[key] = value
        at.run()
        if name != "chat":
            at.switch_page(f"../pages/{name}.py").run()
        assert not at.exception
        return at

    return open_page
