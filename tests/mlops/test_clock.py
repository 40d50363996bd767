"""Times of day and dates as people say them: resolved by their own zone, never in the past."""

from datetime import UTC, datetime

import pytest

from mlops.constraints import at_moment, parse

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("said", "zone", "wanted"),
    [
        ("start at 18:00", None, "2026-11-22T18:00:00+00:00"),
        ("start at 18:00", "Europe/Berlin", "2026-11-22T17:00:00+00:00"),
        ("start at 11:00", "Europe/Berlin", "2026-11-23T10:00:00+00:00"),
        ("start at 11:00", "America/New_York", "2026-11-22T16:00:00+00:00"),
        ("tonight at 22:00", "Asia/Tokyo", "2026-11-22T13:00:00+00:00"),
        ("tomorrow at 9", "Asia/Tokyo", "2026-11-23T00:00:00+00:00"),
        ("tomorrow at 9", "Mars/Olympus", "2026-11-23T09:00:00+00:00"),
        ("the day after tomorrow at 9", None, "2026-11-24T09:00:00+00:00"),
        ("on Monday at 8 am", None, "2026-11-23T08:00:00+00:00"),
        ("on Sunday at 8 am", None, "2026-11-29T08:00:00+00:00"),
        ("start it in 2 hours", "Europe/Berlin", "2026-11-22T14:00:00+00:00"),
        ("start at 2026-11-23 17:00 UTC", "Europe/Berlin", "2026-11-23T17:00:00+00:00"),
        ("start at 2026-11-23 17:00", "Europe/Berlin", "2026-11-23T16:00:00+00:00"),
    ],
)
def test_a_time_of_day_is_the_persons_own(said: str, zone: str | None, wanted: str):
    parsed = at_moment(parse(f"Train NER on cier, {said}"), NOON, zone)
    assert parsed.problems == ()
    assert (parsed.constraints.start_at, parsed.constraints.timezone) == (wanted, zone)
    assert at_moment(parsed, NOON, zone) == parsed


def test_a_moment_that_has_passed_is_asked_about():
    parsed = at_moment(parse("Train NER on cier today at 9:00"), NOON, "Europe/Berlin")
    (problem,) = parsed.problems
    assert parsed.constraints.start_at is None and "start_at" not in parsed.evidence
    assert problem.clause == "start_at"
    assert "Sun 2026-11-22 09:00 Europe/Berlin (08:00 UTC) has passed" in problem.message
