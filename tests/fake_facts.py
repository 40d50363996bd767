"""What the fake workbench shows: offers, points, bookings and datasets, some of whose texts try to be markup."""

from datetime import UTC, datetime, timedelta

from mlops.datasets import Metadata
from mlops.errors import Alternative, RequestError
from mlops.instances import catalog
from mlops.job import Job
from mlops.ledger import Entry, EntryKind
from mlops.metrics import MetricPoint
from mlops.prices import price_file
from mlops.sentences import Sentence
from mlops.tools import OfferRow

SENTENCE = Sentence(
    tokens=("Patient", "mit", "Herzinsuffizienz", "[x](http://evil.example)", "erhält", "ASS"),
    labels=("O", "O", "B-DIAGNOSIS", "O", "O", "B-DRUG"),
)
GOOD_FILE = "".join(
    f"Fieber{i}\tB-SYMPTOM\nund\tO\nASS{i}\tB-DRUG\n\n" for i in range(60)
).encode()
GOOD = Metadata(title="ciER, synthetic", synthetic=True, license="CC0", source="seeded")
BROKEN_FILE = b"one\ttwo\tthree\nx\n"
EVIL = Metadata(title="![x](http://evil.example/p.png) <b>bold</b>", source="http://a.b")


def missing_dataset() -> RequestError:
    way = Alternative(kind="dataset", message="Use the dataset cier", cost_usd="0.02")
    return RequestError("missing_dataset", "Which dataset shall I train on?", (way,))


def bookings() -> list[Entry]:
    """A reservation that was settled, one that still stands, and model tokens."""
    start = datetime(2026, 11, 3, 9, tzinfo=UTC)
    booked = (
        (EntryKind.RESERVE, 0, 20_000),
        (EntryKind.SETTLE, 512, -20_000),
        (EntryKind.RESERVE, 0, 700_000),
        (EntryKind.TOKENS, 1500, 0),
    )
    return [
        Entry(
            scope="person#local#2026-11",
            kind=kind,
            key=f"job-{number}",
            at=start + timedelta(days=number, hours=number),
            spent_micro=spent,
            reserved_micro=reserved,
            note="16 s on ml.m5.large",
        )
        for number, (kind, spent, reserved) in enumerate(booked)
    ]


def point(job: Job, name: str, step: int, value: float) -> MetricPoint:
    return MetricPoint(name=name, value=value, at=job.created_at + timedelta(seconds=step / 4))


def offer_row(name: str) -> OfferRow:
    instance, price = catalog()[name], price_file().get(name)
    known = not instance.retired
    return OfferRow(
        instance_type=name,
        gpu=instance.gpu,
        gpu_count=instance.gpu_count,
        gpu_memory_gib_each=instance.gpu_memory_gib_each,
        vcpu=instance.vcpu,
        memory_gib=instance.memory_gib,
        usd_per_hour=price.usd_per_hour if price else None,
        price_as_of=str(price.as_of) if price and price.as_of else None,
        price_source=price.source if price else None,
        confidence=price.confidence if price else "none",
        spendable=price is not None and price.confidence in ("A", "B"),
        limit=2 if known else None,
        in_use=1 if known else None,
        available=1 if known else None,
        spot_limit=0 if known else None,
        spot_in_use=0 if known else None,
        spot_available=0 if known else None,
    )
