"""Datasets in S3: listed, imported, prepared once per content, refused with file and line."""

import pytest

from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets, require_valid
from mlops.datasets import DatasetStatus, Metadata
from mlops.errors import RequestError
from tests.factories import NOW
from tests.mlops.aws.embedded import Clock

SENTENCE = "Ada\tB-PER\nmet\tO\nBabbage\tB-PER\n\n"


def tsv(sentences: int = 40, text: str = SENTENCE) -> bytes:
    """Distinct sentences with two entities each."""
    return "".join(text.replace("met", f"met{n}") for n in range(sentences)).encode()


@pytest.fixture
def datasets(aws: Aws) -> Datasets:
    s3 = aws.client("s3")
    bucket = aws.settings.datasets_bucket
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    return Datasets(aws)


def test_no_dataset_at_all(datasets: Datasets):
    assert datasets.all(NOW) == []
    with pytest.raises(RequestError):
        datasets.find("cier", NOW)


def test_raw_folders_are_found_by_themselves(datasets: Datasets, clock: Clock):
    uri = datasets.upload("people", {"train.tsv": tsv()}, Metadata(title="People"))
    assert uri == "s3://llmops-datasets/raw/people/"
    [found] = datasets.all(clock())
    assert (found.name, found.title, found.status) == ("people", "People", DatasetStatus.RAW)
    assert datasets.preview(found, 3) == ()


def test_a_dataset_is_prepared_once_per_content(datasets: Datasets, clock: Clock):
    datasets.upload("people", {"train.tsv": tsv()}, Metadata(synthetic=True))
    ready, already = datasets.prepare("People dataset", clock)
    assert (ready.status, ready.synthetic, already) == (DatasetStatus.PREPARED, True, False)
    assert ready.prepared_uri and ready.fingerprint[:16] in ready.prepared_uri
    clock.advance(60)
    assert datasets.prepare("people", clock) == (ready, True)
    datasets.upload("people", {"train.tsv": tsv(50)}, Metadata())
    changed, already = datasets.prepare("people", clock)
    assert not already
    assert changed.fingerprint != ready.fingerprint


def test_what_was_prepared_can_be_looked_at(datasets: Datasets, clock: Clock):
    datasets.upload("people", {"train.tsv": tsv()}, Metadata())
    ready, _ = datasets.prepare("people", clock)
    rows = datasets.preview(ready, 2)
    assert len(rows) == 2
    assert rows[0].tokens[0] == "Ada"


def test_broken_data_is_refused_with_file_and_line(datasets: Datasets, clock: Clock):
    broken = tsv(25) + b"no label here\n\nnor here\n\n"
    datasets.upload("people", {"train.tsv": broken}, Metadata())
    with pytest.raises(RequestError) as caught:
        datasets.prepare("people", clock)
    assert caught.value.code == "invalid_dataset"
    assert "train.tsv:101" in caught.value.message
    assert caught.value.message.endswith(".") and ".;" not in caught.value.message
    stored = datasets.find("people", NOW)
    assert stored.status is DatasetStatus.INVALID
    with pytest.raises(RequestError):
        require_valid(stored)


def test_an_upload_replaces_what_was_there(datasets: Datasets, aws: Aws):
    datasets.upload("people", {"train.tsv": b"x", "old.tsv": b"y"}, Metadata())
    datasets.upload("people", {"../../evil/train.tsv": b"z"}, Metadata())
    listed = aws.client("s3").list_objects_v2(Bucket="llmops-datasets", Prefix="")["Contents"]
    assert sorted(o["Key"] for o in listed) == [
        "raw/people/metadata.json",
        "raw/people/train.tsv",
    ]
    with pytest.raises(RequestError):
        datasets.upload("people", {}, Metadata())


@pytest.mark.parametrize("wanted", ["peeple", "nothing like it", ""])
def test_an_unknown_name_lists_near_ones(datasets: Datasets, wanted: str):
    datasets.upload("people", {"train.tsv": tsv()}, Metadata())
    with pytest.raises(RequestError):
        datasets.find(wanted, NOW)
