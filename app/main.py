"""The router: one page set-up, one navigation, the badge of every page, one page run."""

import sys
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # `streamlit run app/main.py` knows only this folder
    sys.path.insert(0, str(ROOT))

from app import badge, notices, session  # noqa: E402

PAGES = ROOT / "pages"

st.set_page_config(page_title="AgenticAIOps", page_icon="🎛️", layout="wide")
chat = st.Page(PAGES / "chat.py", title="Chat", icon=":material/forum:", default=True)
page = st.navigation(
    [
        chat,
        st.Page(PAGES / "datasets.py", title="Datasets", icon=":material/dataset:"),
        st.Page(PAGES / "gpus.py", title="GPUs", icon=":material/memory:"),
        st.Page(PAGES / "jobs.py", title="Jobs", icon=":material/model_training:"),
        st.Page(PAGES / "costs.py", title="Costs", icon=":material/payments:"),
    ]
)
with st.spinner("Starting the back end …"):
    session.read(session.workbench)
badge.draw(chat)
notices.draw(chat)
page.run()
