"""The datasets: what can be trained on, how each looks, what is wrong with it, and a way to bring one in."""

import streamlit as st

from app import dataset_card, session
from app.theme import table
from mlops.datasets import Dataset
from workbench import frames

FILE_TYPES = ["conll", "bio", "iob", "tsv", "txt", "jsonl", "csv", "json"]
MAX_UPLOAD_MIB = 25


def main() -> None:
    st.title("Datasets", anchor=False)
    session.show_notice(session.take_notice())
    st.caption(
        "No public dataset called ciER could be found: “cier” and “cier-small” are synthetic "
        "stand-ins, made by this project and marked as such wherever they appear."
    )
    found = session.read(lambda: session.workbench().datasets())
    if found:
        table(frames.datasets_frame(found), "datasets", "All datasets")
        _details(found)
    else:
        st.info("There are no datasets yet. Upload one below.", icon=":material/upload_file:")
    _upload()


def _details(found: list[Dataset]) -> None:
    names = [dataset.name for dataset in found]
    wanted = st.query_params.get("d")
    start = names.index(wanted) if wanted in names else 0
    st.subheader("Details", anchor=False)
    chosen = st.selectbox("Dataset", names, index=start, key="dataset")
    st.query_params["d"] = chosen
    dataset_card.draw(found[names.index(chosen)])


def _upload() -> None:
    st.subheader("Bring your own", anchor=False)
    with st.form("upload", clear_on_submit=True):
        files = st.file_uploader(
            "Files: CoNLL or TSV (BIO, IOB1, BIOES), JSONL or CSV",
            type=FILE_TYPES,
            accept_multiple_files=True,
            max_upload_size=MAX_UPLOAD_MIB,
            help="Name them train, dev and test; a missing dev or test part is cut from train. "
            "A metadata.json with title, source and license may come along.",
        )
        name = st.text_input("Name", max_chars=63, placeholder="my-corpus")
        if st.form_submit_button("Upload and prepare", icon=":material/upload:"):
            _import({file.name: file.getvalue() for file in files or []}, name)


def _import(files: dict[str, bytes], name: str) -> None:
    if not files or not name.strip():
        st.warning("Choose at least one file and give the dataset a name.")
        return
    with st.spinner("Uploading and validating …"):
        session.attempt(
            lambda: session.workbench().import_dataset(files, name.strip()),
            f"{name.strip()} is prepared.",
        )
    st.rerun()


main()
