"""Who owns a data directory, who holds it now, and what the holder announces."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localaws import home as data
from mlops.errors import RequestError


def announcement(pid: int) -> data.Announcement:
    return data.Announcement(
        endpoint="http://127.0.0.1:1",
        pid=pid,
        port=1,
        token="t",
        started_at=datetime.now(UTC),
        version=data.FORMAT,
        prefix="llmops",
    )


def test_an_empty_directory_becomes_ours_for_good(tmp_path: Path):
    home = tmp_path / "deep" / "home"
    data.claim(home)
    (home / "state.sqlite3").write_text("")
    data.claim(home)
    assert data.is_ours(home)


@pytest.mark.parametrize("marker", ['{"format": 2}', "{}", "[]", "broken", ""])
def test_another_format_is_refused_and_untouched(tmp_path: Path, marker: str):
    (tmp_path / "format.json").write_text(marker)
    with pytest.raises(RequestError, match="Use the version that wrote it"):
        data.claim(tmp_path)
    assert (tmp_path / "format.json").read_text() == marker


def test_an_older_format_may_be_emptied(tmp_path: Path):
    (tmp_path / "format.json").write_text('{"kind": "embedded-aws", "format": 0}')
    (tmp_path / "state.sqlite3").write_bytes(b"old")
    with pytest.raises(RequestError, match="format 0; .*format 1.*`llmops local reset` deletes"):
        data.claim(tmp_path)
    assert (tmp_path / "state.sqlite3").read_bytes() == b"old"


def test_quotas_and_log_may_be_there_before(tmp_path: Path):
    (tmp_path / "quotas.json").write_text("{}")
    (tmp_path / "localaws.log").write_text("")
    data.claim(tmp_path)
    assert data.is_ours(tmp_path)


def test_one_holder_at_a_time(tmp_path: Path):
    assert data.lock_holder(tmp_path) is None
    lock = data.acquire_lock(tmp_path)
    assert lock is not None
    assert data.lock_holder(tmp_path) == os.getpid()
    assert data.acquire_lock(tmp_path) is None
    os.close(lock)
    assert data.lock_holder(tmp_path) is None


def test_only_the_holders_announcement_counts(tmp_path: Path):
    mine = announcement(os.getpid())
    data.announce(tmp_path, mine)
    assert data.announcement(tmp_path) is None  # nobody holds the directory
    lock = data.acquire_lock(tmp_path)
    assert lock is not None
    assert data.announcement(tmp_path) == mine
    data.announce(tmp_path, announcement(os.getpid() + 1))
    assert data.announcement(tmp_path) is None  # left by another
    (tmp_path / "endpoint.json").write_text("{torn")
    assert data.announcement(tmp_path) is None
    os.close(lock)


def test_announcements_of_other_versions_are_understood(tmp_path: Path):
    lock = data.acquire_lock(tmp_path)
    assert lock is not None
    said = json.loads(announcement(os.getpid()).model_dump_json())
    older = {key: said[key] for key in said if key not in ("code", "confinement")}
    for text in (older, said | {"news": 1}):
        (tmp_path / "endpoint.json").write_text(json.dumps(text))
        found = data.announcement(tmp_path)
        assert found is not None and found.code == ""
    os.close(lock)


def test_the_last_port_is_remembered(tmp_path: Path):
    assert data.last_port(tmp_path) == 0
    data.announce(tmp_path, announcement(1))
    assert data.last_port(tmp_path) == 1
    (tmp_path / "port").write_text("torn?")
    assert data.last_port(tmp_path) == 0


def test_announcement_is_private_and_readable_json(tmp_path: Path):
    data.announce(tmp_path, announcement(1))
    path = tmp_path / "endpoint.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {"endpoint", "pid", "port", "token", "started_at", "version"} <= json.loads(
        path.read_text()
    ).keys()


def test_environment_names_this_back_end_alone():
    environ = data.aws_environment("http://127.0.0.1:9") | data.back_end_environment("team")
    assert environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert environ["AWS_EC2_METADATA_DISABLED"] == "true"
    assert environ["LLMOPS_ENGINES"] in ("crf", "")
    assert (environ["LLMOPS_SANDBOX"], environ["LLMOPS_PREFIX"]) == ("true", "team")
    assert environ["BEDROCK_MODEL_ID"] == "local.planner-v1"
