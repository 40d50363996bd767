"""A real dashboard on a free port over its own embedded AWS, and a real browser that looks at it."""

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.patience import PATIENCE_SECONDS, eventually
from tests.ports import lasting_port

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FOREIGN = ("AWS_", "LLMOPS_", "BEDROCK_", "AGENTCORE_", "USE_AGENTCORE_", "FEATURE_", "STREAMLIT_")
START_SECONDS = 3 * PATIENCE_SECONDS
PATIENCE_MS = 1000 * PATIENCE_SECONDS

expect.set_options(timeout=PATIENCE_MS)


class Dashboard:
    """`streamlit run`, as a person types it; it can be killed and started again over one home."""

    def __init__(self, folder: Path):
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        self.environ |= {"LLMOPS_HOME": str(folder / "home"), "AWS_EC2_METADATA_DISABLED": "true"}
        self.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        self.port = lasting_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "dashboard.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", f"--server.port={self.port}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self.environ, stdout=log, stderr=log
            )
        try:
            eventually(self._is_ready, START_SECONDS)
        except AssertionError:
            pytest.fail(self.log.read_text())

    def kill(self) -> None:
        """As `kill -9` does; the embedded AWS lives on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def command(self, *words: str) -> str:
        """What `llmops …` prints over the same home."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / "llmops"), *words],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return done.stdout

    def _is_ready(self) -> bool:
        assert self._process is not None and self._process.poll() is None
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@pytest.fixture(scope="session")
def chromium() -> str:
    """Its path; without one the test is skipped, or fails where a browser is required."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if found is None:
        message = "No Chromium found: install Debian's package chromium to run browser tests."
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Its event loop occupies the thread: other modules must not meet it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def dashboard(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    running = Dashboard(tmp_path_factory.mktemp("dashboard"))
    try:
        running.start()
        yield running
    finally:
        running.kill()
        running.command("local", "stop")


@pytest.fixture
def tab(browser: Browser, dashboard: Dashboard) -> Iterator[Callable[..., Page]]:
    """Opens tabs; afterwards none of them may have asked anybody but the dashboard."""
    contexts: list[BrowserContext] = []
    outside: list[str] = []

    def open_tab(path: str = "/", dark: bool = False, width: int = 1280) -> Page:
        context = browser.new_context(
            color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        own = (dashboard.url, dashboard.url.replace("http", "ws"), "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(own) else outside.append(r.url))
        page.goto(dashboard.url + path)
        page.get_by_role("heading", level=1).wait_for()
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert not outside
