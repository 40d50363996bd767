"""Times of day and dates as people say them: resolved by their own zone, never in the past."""

from datetime import UTC, datetime

import pytest

from mlops.constraints import at_moment, parse, starting

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
        ("start at 18:00 UTC", "Europe/Berlin", "2026-11-22T18:00:00+00:00"),
        ("start at 6pm PST", "Europe/Berlin", "2026-11-23T02:00:00+00:00"),
        ("at 18:00 New York time", "Europe/Berlin", "2026-11-22T23:00:00+00:00"),
        ("start at 2026-11-24T18:00+05:30", "Europe/Berlin", "2026-11-24T12:30:00+00:00"),
        ("start tomorrow at 9 Tokyo time", "Europe/Berlin", "2026-11-23T00:00:00+00:00"),
        ("start at 18:00 on Dec 3", "Europe/Berlin", "2026-12-03T17:00:00+00:00"),
        ("starte am 3.12. um 18 Uhr", "Europe/Berlin", "2026-12-03T17:00:00+00:00"),
        ("start on the 1st at 18:00", None, "2026-12-01T18:00:00+00:00"),
        ("start on the 30th at 18:00", None, "2026-11-30T18:00:00+00:00"),
        ("start next week monday at 9am", "Europe/Berlin", "2026-11-23T08:00:00+00:00"),
        ("start next Sunday at 9am", None, "2026-11-29T09:00:00+00:00"),
        ("start in two weeks at 18:00", "Europe/Berlin", "2026-12-06T17:00:00+00:00"),
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


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("start at 6pm EDT", "it is EST, no EDT"),
        ("start on 1 January at noon", "more than 30 days"),
        ("start on 2027-03-28 at 02:30", "The clocks skip 02:30 on 28 March 2027"),
        ("start Monday 24 November at 9", "is a Tuesday, no Monday"),
        ("start at 18:00 IST", "which time zone 'IST' is"),
        ("start tomorrow at 9 Kathmandu time", "I cannot read the time"),
        ("start at 18:00 XYZ", "which time zone 'XYZ' is"),
        ("start at 18:00 Mars/Olympus", "which time zone 'Mars/Olympus' is"),
    ],
)
def test_a_moment_that_cannot_be_told_is_asked_about(said: str, words: str):
    parsed = at_moment(parse(f"Train NER on cier for $5, {said}"), NOON, "Europe/Berlin")
    (problem,) = parsed.problems
    assert (problem.clause, parsed.constraints.start_at) == ("start_at", None)
    assert words in problem.message


def test_next_friday_is_asked_about_where_two_are_to_come():
    wednesday = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    parsed = parse("Train NER on cier, start next Friday at 9am")
    (problem,) = at_moment(parsed, wednesday, None).problems
    assert "Friday 27 November or Friday 04 December" in problem.message
    friday = at_moment(parse("Train NER on cier, start on Friday at 9am"), wednesday, None)
    assert friday.constraints.start_at == "2026-11-27T09:00:00+00:00"
    later = at_moment(parse("Train NER on cier, start next week Friday at 9am"), wednesday, None)
    assert later.constraints.start_at == "2026-12-04T09:00:00+00:00"


@pytest.mark.parametrize("moment", ["12-24 18:00", "day 24 18:00 UTC"])
def test_a_date_without_its_year_is_the_next(moment: str):
    later = datetime(2026, 12, 1, tzinfo=UTC)
    said = parse("Train NER on cier").constraints.model_copy(update={"start_at": moment})
    assert starting(said, later).start_at == "2026-12-24T18:00:00+00:00"
