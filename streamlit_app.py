"""The dashboard as one ASGI app, found by a bare `streamlit run`: routes and start-up in `app.server`, screens in `app/main.py`."""

from pathlib import Path

import streamlit as st

from app import server

app = st.App(
    Path(__file__).parent / "app" / "main.py",
    routes=server.ROUTES,
    middleware=server.middleware(),
    lifespan=server.lifespan,
    on_script_error=server.explain_fault,
)
