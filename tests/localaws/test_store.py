"""The store: transactions, isolation of readers, and no loss when the process is killed."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from localaws.store import Store

SCHEMA = "CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, text TEXT);"
WRITER = """
import sys
from pathlib import Path
from localaws.store import Store
store = Store(Path(sys.argv[1]))
store.ensure("CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, text TEXT);")
for n in range(1_000_000):
    with store.write() as db:
        db.execute("INSERT INTO notes(text) VALUES(?)", (str(n),))
    print(n, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path)
    store.ensure(SCHEMA)
    yield store
    store.close()


def texts(store: Store) -> list[str]:
    return [row[0] for row in store.read().execute("SELECT text FROM notes ORDER BY id")]


def test_commits_and_rolls_back(store: Store):
    with store.write() as db:
        db.execute("INSERT INTO notes(text) VALUES('kept')")
    with pytest.raises(ValueError, match="no"), store.write() as db:
        db.execute("INSERT INTO notes(text) VALUES('lost')")
        raise ValueError("no")
    assert texts(store) == ["kept"]


def test_nested_write_joins_the_outer_one(store: Store):
    with pytest.raises(ValueError, match="outer"), store.write():
        with store.write() as db:
            db.execute("INSERT INTO notes(text) VALUES('inner')")
        assert texts(store) == ["inner"]
        raise ValueError("outer")
    assert texts(store) == []


def test_other_threads_see_only_what_is_committed(store: Store):
    seen: list[list[str]] = []
    with store.write() as db:
        db.execute("INSERT INTO notes(text) VALUES('a')")
        reader = threading.Thread(target=lambda: seen.append(texts(store)))
        reader.start()
        reader.join()
    assert seen == [[]]
    assert texts(store) == ["a"]


def test_kill_loses_no_acknowledged_write(tmp_path: Path):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    store = Store(tmp_path)
    found = texts(store)
    store.close()
    assert found[: len(acknowledged)] == acknowledged
    assert len(found) <= len(acknowledged) + 1
