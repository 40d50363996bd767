"""Ageing of metric points as on AWS: exact for 15 days, 5-minute sets to 63, hours to 455, then gone.

Known difference: AWS merges points of less than a minute after 3 hours already; here they keep
their second for 15 days. Percentiles need single values, so they end with these.
"""

import sqlite3

from localaws.cloudwatch_series import Point, insert

_DAY_MS = 86_400_000
_END_DAYS = 455
_STEPS = ((15, 300_000), (63, 3_600_000))
"""(age in days, width of the merged sets in milliseconds)"""


def age(db: sqlite3.Connection, now_ms: int) -> None:
    """In the caller's transaction."""
    ids = [row[0] for row in db.execute("SELECT id FROM cw_metrics")]
    for metric_id in ids:
        end = now_ms - _END_DAYS * _DAY_MS
        db.execute("DELETE FROM cw_points WHERE metric_id=? AND at_ms < ?", (metric_id, end))
        for days, width_ms in _STEPS:
            _merge(db, metric_id, (now_ms - days * _DAY_MS) // width_ms * width_ms, width_ms)
    db.execute("DELETE FROM cw_metrics WHERE id NOT IN (SELECT metric_id FROM cw_points)")


def _merge(db: sqlite3.Connection, metric_id: int, before_ms: int, width_ms: int) -> None:
    """Points before a time become one statistic set per period and unit."""
    rows = db.execute(
        f"SELECT at_ms / {width_ms} * {width_ms} AS start, SUM(samples), SUM(total), MIN(low),"
        " MAX(high), unit FROM cw_points WHERE metric_id=? AND at_ms < ? GROUP BY start, unit"
        " HAVING COUNT(*) > 1 OR MIN(at_ms) <> start ORDER BY start, unit",
        (metric_id, before_ms),
    ).fetchall()
    for merged in (Point(*row) for row in rows):
        db.execute(
            "DELETE FROM cw_points WHERE metric_id=? AND at_ms >= ? AND at_ms < ? AND unit=?",
            (metric_id, merged.at_ms, merged.at_ms + width_ms, merged.unit),
        )
        insert(db, metric_id, merged)
