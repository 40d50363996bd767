"""What a person does in the dashboard, in a real browser over the real embedded AWS."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SENTENCE = (
    "Train a Named Entity Recognition model on the ciER dataset. "
    "Budget: $10, Time: 1 hour, F1 score > 85%"
)
JOB_MS = 180_000
Tab = Callable[..., Page]


def say(page: Page, text: str) -> None:
    box = page.get_by_test_id("stChatInputTextArea")
    expect(box).to_be_enabled()
    box.fill(text)
    box.press("Enter")


def ask_to_train(page: Page) -> None:
    say(page, SENTENCE)
    expect(approve_button(page)).to_be_visible()


def approve_button(page: Page) -> Any:
    return page.get_by_role("button", name=re.compile(r"Approve up to"))


def report(page: Page) -> Any:
    return page.get_by_role("heading", name="Report on cier", exact=True)


def own_jobs(dashboard: Any) -> list[str]:
    return [job["job_name"] for job in json.loads(dashboard.command("jobs", "list", "--json"))]


def upload(page: Page, file: Path, name: str, answer: str) -> None:
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)
    expect(page.get_by_role("button", name=f"Remove {file.name}")).to_be_visible()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Upload and prepare").click()
    expect(page.get_by_text(answer)).to_be_visible()


def test_a_sentence_becomes_a_trained_model(tab: Tab, dashboard: Any) -> None:
    before = len(own_jobs(dashboard))
    page = tab()
    ask_to_train(page)
    expect(page.get_by_text("Budget: $10", exact=True)).to_be_visible()
    expect(page.get_by_text("list price as of").first).to_be_visible()
    approve_button(page).click()
    expect(page.get_by_text(re.compile(r"^Cost( so far)?$")).first).to_be_visible()
    expect(approve_button(page)).to_have_count(0)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=JOB_MS)
    expect(report(page)).to_be_visible(timeout=JOB_MS)
    expect(page.get_by_text("PASS")).to_have_count(3)
    expect(page.get_by_text("Synthetic data").first).to_be_visible()
    expect(page.get_by_text("Sandbox: metered at list price, not billed").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"^s3://.*model\.tar\.gz$"))).to_be_visible()
    assert len(own_jobs(dashboard)) == before + 1


def test_a_refresh_and_another_page_lose_nothing_and_run_nothing_twice(
    tab: Tab, dashboard: Any
) -> None:
    before = len(own_jobs(dashboard))
    page = tab()
    say(page, SENTENCE)
    expect(page.get_by_test_id("stChatMessage").first).to_be_visible()
    page.reload()
    expect(approve_button(page)).to_have_count(1)
    approve_button(page).click()
    expect(approve_button(page)).to_have_count(0)
    page.get_by_role("link", name="Costs").click()
    expect(page.get_by_role("heading", name="Costs")).to_be_visible()
    page.get_by_role("link", name="Chat").click()
    expect(report(page)).to_have_count(1, timeout=JOB_MS)
    page.reload()
    expect(report(page)).to_have_count(1)
    expect(page.get_by_test_id("stChatMessage").filter(has_text=SENTENCE)).to_have_count(1)
    assert len(own_jobs(dashboard)) == before + 1


def test_an_idle_second_tab_follows_the_first(tab: Tab, dashboard: Any) -> None:
    before = len(own_jobs(dashboard))
    first = tab()
    expect(first).to_have_url(re.compile(r"c="))
    second = tab(first.url.removeprefix(dashboard.url))
    ask_to_train(first)
    expect(approve_button(second)).to_be_visible()
    approve_button(first).click()
    expect(approve_button(second)).to_have_count(0)
    expect(report(second)).to_have_count(1, timeout=JOB_MS)
    expect(report(first)).to_have_count(1, timeout=JOB_MS)
    assert len(own_jobs(dashboard)) == before + 1


def test_a_killed_dashboard_comes_back_to_its_report(tab: Tab, dashboard: Any) -> None:
    before = len(own_jobs(dashboard))
    page = tab()
    ask_to_train(page)
    approve_button(page).click()
    expect(page.get_by_text("Training job", exact=True)).to_be_visible()
    address = page.url
    dashboard.kill()
    dashboard.start()
    page.goto(address)
    expect(report(page)).to_have_count(1, timeout=JOB_MS)
    assert len(own_jobs(dashboard)) == before + 1


def test_questions_and_unsafe_words(tab: Tab) -> None:
    page = tab()
    say(page, "What's the cheapest GPU option?")
    expect(page.get_by_text(re.compile("The cheapest GPU you can have now is"))).to_be_visible()
    say(page, "train on ![x](http://evil.example/a.png) <img src=http://evil.example/b.png>")
    expect(page.get_by_test_id("stChatMessage")).to_have_count(4)
    assert page.locator("[data-testid=stChatMessage] img").count() == 0


def test_an_upload_is_validated_with_file_and_line(tab: Tab, tmp_path: Path) -> None:
    lines = [f"Fieber{n}\tB-SYMPTOM\nund\tO\nASS{n}\tB-DRUG\n\n" for n in range(60)]
    good, broken = tmp_path / "train.tsv", tmp_path / "broken.tsv"
    good.write_text("".join(lines))
    broken.write_text("Fieber\tB-SYMPTOM\nund O X\n")
    upload(tab("/datasets"), broken, "broken-set", "broken.tsv:2")
    upload(tab("/datasets"), good, "good-set", "good-set is prepared.")


@pytest.mark.parametrize("path", ["/", "/datasets", "/gpus", "/jobs", "/costs"])
def test_pages_fit_a_dark_phone_and_name_their_controls(tab: Tab, path: str) -> None:
    page = tab(path, dark=True, width=390)
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_text("Something went wrong").count() == 0
    nameless = page.locator("main button, section button").evaluate_all(
        "all => all.filter(b => b.offsetParent && !(b.innerText.trim() || b.ariaLabel"
        " || b.title || b.getAttribute('aria-labelledby') || b.querySelector('[aria-label]')))"
        ".map(b => b.outerHTML.slice(0, 200))"
    )
    assert not nameless
    background = page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    )
    assert background == "rgb(14, 21, 20)"
