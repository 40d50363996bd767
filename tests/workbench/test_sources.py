"""What is read from a machine before it is uploaded: bounded, inside the folder, clear when wrong."""

import os
from pathlib import Path

import pytest

from mlops.datasets import Metadata
from mlops.errors import RequestError
from mlops.formats import read_split
from workbench import sources

ROW = b"Fieber\tB-SYMPTOM\n\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "My Corpus"
    made.mkdir()
    for name in ("train.tsv", "devel.tsv", "test.tsv"):
        (made / name).write_bytes(ROW)
    return made


def test_a_folder_is_its_plain_files_under_a_usable_name(folder: Path):
    (folder / ".git").mkdir()
    (folder / ".hidden.tsv").write_bytes(ROW)
    (folder / "more").mkdir()
    source = sources.read([folder])
    assert source.name == "my-corpus"
    assert sorted(source.files) == ["devel.tsv", "test.tsv", "train.tsv"]
    assert source.metadata is None


def test_one_file_is_named_after_itself_and_several_after_their_folder(folder: Path):
    assert sources.read([str(folder / "train.tsv")]).name == "train"
    two = sources.read([folder / "train.tsv", folder / "test.tsv"])
    assert (two.name, sorted(two.files)) == ("my-corpus", ["test.tsv", "train.tsv"])


def test_metadata_inside_is_honoured(folder: Path):
    (folder / "metadata.json").write_text('{"title": "Mine", "synthetic": true, "other": 1}')
    source = sources.read([folder])
    assert source.metadata == Metadata(title="Mine", synthetic=True)
    assert "metadata.json" not in source.files


def test_broken_metadata_is_explained(folder: Path):
    (folder / "metadata.json").write_text('{"synthetic": "perhaps"}')
    with pytest.raises(RequestError, match="metadata.json: synthetic"):
        sources.read([folder])


def test_a_link_may_stay_inside_but_not_lead_out(folder: Path, tmp_path: Path):
    (folder / "link.tsv").symlink_to(folder / "train.tsv")
    assert "link.tsv" in sources.read([folder]).files
    secret = tmp_path / "secret.tsv"
    secret.write_bytes(ROW)
    (folder / "out.tsv").symlink_to(secret)
    with pytest.raises(RequestError, match=r"out.tsv is a link that leads out"):
        sources.read([folder])


def test_a_folder_that_is_a_link_itself_is_what_was_named(folder: Path, tmp_path: Path):
    (tmp_path / "alias").symlink_to(folder)
    assert len(sources.read([tmp_path / "alias"]).files) == 3


def test_too_much_is_refused_before_it_is_read(folder: Path):
    with (folder / "train.tsv").open("wb") as sparse:
        sparse.truncate(sources.MAX_BYTES + 1)
    with pytest.raises(RequestError, match="larger than 200 MB"):
        sources.read([folder])


@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing", "does not exist"), ("empty", "no data file"), ("pipe", "is not a file")],
)
def test_what_is_no_data_is_named(tmp_path: Path, name: str, message: str):
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RequestError, match=message):
        sources.read([tmp_path / name])


def test_a_pipe_in_a_folder_is_passed_over(folder: Path):
    os.mkfifo(folder / "pipe.tsv")
    assert "pipe.tsv" not in sources.read([folder]).files


def test_a_folder_beside_other_paths_is_refused(folder: Path):
    with pytest.raises(RequestError, match="name one folder, or files"):
        sources.read([folder, folder / "train.tsv"])


def test_two_files_of_one_name_are_refused(folder: Path, tmp_path: Path):
    (tmp_path / "train.tsv").write_bytes(ROW)
    with pytest.raises(RequestError, match="Two files are called train.tsv"):
        sources.read([folder / "train.tsv", tmp_path / "train.tsv"])


def test_nothing_is_refused():
    with pytest.raises(RequestError, match="Name a folder or a file"):
        sources.read([])
    with pytest.raises(RequestError, match="no file to import"):
        sources.from_bytes({})


def test_uploaded_bytes_become_a_source():
    source = sources.from_bytes({"train.tsv": ROW, "metadata.json": b'{"title": "T"}'}, "Mine")
    assert (source.name, sorted(source.files), source.metadata) == (
        "mine",
        ["train.tsv"],
        Metadata(title="T"),
    )


def test_a_sample_is_labelled_synthetic():
    source = sources.read(["sample:cier-small"])
    assert source.name == "cier-small"
    assert source.metadata is not None and source.metadata.synthetic
    assert len(read_split("train.tsv", source.files["train.tsv"]).sentences) == 300


def test_an_unknown_sample_lists_those_there_are():
    with pytest.raises(RequestError, match="only cier, cier-small") as raised:
        sources.read(["sample:other"])
    assert len(raised.value.alternatives) == 2
