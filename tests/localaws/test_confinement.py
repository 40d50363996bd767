"""What a confined process may touch, tried with a real one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from localaws import confine
from localaws.confinement import Confinement, confined, kind
from tests.patience import PATIENCE_SECONDS, eventually

enforced = pytest.mark.skipif(kind() is Confinement.NONE, reason="this system has no Landlock")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    (tmp_path / "secret").write_text("mine")
    return folder


def run(code: str, job: Path, network: bool = True) -> str:
    """What the expression of `code` gives, or the name of the error that it raises."""
    program = (
        "import multiprocessing, os, pathlib, socket\n"
        f"try: print({code})\nexcept OSError as error: print(type(error).__name__)\n"
    )
    command = confined(
        [sys.executable, "-c", program], write=[job], network=network, dies_with_starter=True
    )
    done = subprocess.run(
        command, cwd=job, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    return done.stdout.strip() or done.stderr


@enforced
@pytest.mark.parametrize(
    "code",
    [
        "open('../secret').read()",
        "open('../secret', 'w')",
        "os.truncate('../secret', 0)",
        "os.rename('../secret', 'stolen')",
        "os.listdir('..')",
        "os.mkdir('../new')",
        "os.listdir(os.path.expanduser('~'))",
        "os.symlink('../secret', 'link') or open('link').read()",
        "os.kill(os.getppid(), 0)",
        "open(f'/proc/{os.getppid()}/environ').read()",
        "open(os.path.join('/proc', str(os.getppid()), 'root', 'etc', 'hostname')).read()",
    ],
)
def test_what_is_outside_is_refused(job: Path, code: str):
    assert run(code, job) == "PermissionError"
    assert (job.parent / "secret").read_text() == "mine"


@enforced
def test_nothing_is_linked_in_from_outside(job: Path):
    assert run("os.link('../secret', 'stolen')", job) == "OSError"  # EXDEV, as on another disk
    assert not (job / "stolen").exists()


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("pathlib.Path('new').write_text('four')", "4"),
        ("os.rename(pathlib.Path('a').mkdir() or 'a', 'b')", "None"),
        ("multiprocessing.Semaphore(1).acquire()", "True"),
        ("len(os.urandom(4))", "4"),
        ("open(os.devnull, 'w').write('gone')", "4"),
        ("__import__('pycrfsuite').__name__", "pycrfsuite"),
        ("__import__('boto3').__name__", "boto3"),
        ("socket.getaddrinfo('localhost', 80)[0][4][1]", "80"),
        ("os.popen('echo hi').read()", "hi"),
    ],
)
def test_what_training_needs_is_there(job: Path, code: str, printed: str):
    assert run(code, job) == printed


@pytest.mark.skipif(confine.landlock_abi() < 4, reason="Landlock here knows no network")
def test_without_network_no_connection_is_made(job: Path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]})).close()"
        assert run(code, job) == "None"
        assert run(code, job, network=False) == "PermissionError"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_a_process_ends_with_its_starter(job: Path):
    code = (
        "import subprocess, sys; from pathlib import Path; from localaws.confinement import confined\n"
        "wait = 'print(1, flush=True); import threading; threading.Event().wait(600)'\n"
        "command = confined([sys.executable, '-c', wait], write=[Path.cwd()], dies_with_starter=True)\n"
        "child = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); import os; os._exit(0)\n"
    )
    root = Path(confine.__file__).parents[1]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    starter = subprocess.run(
        [sys.executable, "-c", code], cwd=job, env=environ, capture_output=True, text=True
    )
    eventually(lambda: not _runs(int(starter.stdout)))


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
