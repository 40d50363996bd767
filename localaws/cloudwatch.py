"""CloudWatch metrics: points in SQLite, aggregated per period by exact namespace, name and dimensions.

Old points are merged and at last removed, once an hour at most, when new ones arrive.
"""

import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from localaws import cloudwatch_retention
from localaws import cloudwatch_series as series
from localaws.cloudwatch_queries import Queries
from localaws.cloudwatch_series import Metric, MetricId, Point
from localaws.errors import AwsError
from localaws.paging import offset_of, page, token_of
from localaws.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS cw_metrics(
  id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, dimensions TEXT NOT NULL,
  UNIQUE(namespace, name, dimensions));
CREATE TABLE IF NOT EXISTS cw_points(
  metric_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, n INTEGER NOT NULL, samples REAL NOT NULL,
  total REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, unit TEXT NOT NULL,
  PRIMARY KEY(metric_id, at_ms, n)) WITHOUT ROWID;
"""

_MAX_DATA = 1000
_MAX_DATAPOINTS = 100_800
_MAX_STATISTICS = 1440
_LIST_SIZE = 500
_SWEEP_SECONDS = 3600


class CloudWatch:
    service_name = "cloudwatch"

    def __init__(self, store: Store, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        self._store = store
        self._now = now
        self._swept_at = 0.0
        store.ensure(SCHEMA)

    def put_points(
        self, namespace: str, points: Iterable[tuple[str, Mapping[str, str], float, datetime]]
    ) -> None:
        """(metric, dimensions, value, at): what a training job measures, in one transaction."""
        rows = [
            (Metric(namespace, name, _canonical(dimensions)), Point.of(value, at))
            for name, dimensions, value, at in points
        ]
        self._insert(rows)

    def put_metric_data(self, request: dict[str, Any]) -> dict[str, Any]:
        data = request.get("MetricData") or []
        if len(data) > _MAX_DATA:
            raise AwsError("InvalidParameterValue", "MetricData takes at most 1000 entries")
        rows = []
        for datum in data:
            dimensions = _named(datum.get("Dimensions"))
            metric = Metric(request["Namespace"], datum["MetricName"], _canonical(dimensions))
            rows += [(metric, point) for point in _points(datum, self._now())]
        self._insert(rows)
        return {}

    def get_metric_data(self, request: dict[str, Any]) -> dict[str, Any]:
        queries = request["MetricDataQueries"]
        bounds = (request["StartTime"], request["EndTime"])
        series_of = Queries(queries, lambda stat: self._series(stat, bounds))
        wanted = [q for q in queries if q.get("ReturnData", True)]
        ascending = request.get("ScanBy") == "TimestampAscending"
        results = [series_of.values(q["Id"]) for q in wanted]
        if not ascending:
            results = [values[::-1] for values in results]
        start = offset_of(request.get("NextToken"), "InvalidNextToken")
        limit = min(request.get("MaxDatapoints", _MAX_DATAPOINTS), _MAX_DATAPOINTS)
        return _data_page(wanted, results, start, limit)

    def get_metric_statistics(self, request: dict[str, Any]) -> dict[str, Any]:
        metric_id = self._metric(request)
        period = _period(request["Period"])
        statistics = [*request.get("Statistics", ()), *request.get("ExtendedStatistics", ())]
        bounds = (request["StartTime"], request["EndTime"])
        points: dict[datetime, dict[str, Any]] = {}
        for statistic in statistics:
            found = self._read(metric_id, statistic, period, bounds, request.get("Unit"))
            for at, value in found:
                point = points.setdefault(
                    at, {"Timestamp": at, "Unit": request.get("Unit", "None")}
                )
                if statistic.startswith("p"):
                    point.setdefault("ExtendedStatistics", {})[statistic] = value
                else:
                    point[statistic] = value
        if len(points) > _MAX_STATISTICS:
            raise AwsError("InvalidParameterCombination", "More than 1440 datapoints requested")
        return {"Label": request["MetricName"], "Datapoints": list(points.values())}

    def list_metrics(self, request: dict[str, Any]) -> dict[str, Any]:
        sql, arguments = "SELECT namespace, name, dimensions FROM cw_metrics WHERE 1", []
        for field, column in (("Namespace", "namespace"), ("MetricName", "name")):
            if request.get(field):
                sql += f" AND {column}=?"
                arguments.append(request[field])
        rows = self._store.read().execute(f"{sql} ORDER BY namespace, name, dimensions", arguments)
        filters = request.get("Dimensions") or []
        found = [row for row in rows if _has_dimensions(orjson.loads(row[2]), filters)]
        metrics, more = page(found, request.get("NextToken"), _LIST_SIZE, "InvalidParameterValue")
        listed = [
            {"Namespace": namespace, "MetricName": name, "Dimensions": _listed(dimensions)}
            for namespace, name, dimensions in metrics
        ]
        return {"Metrics": listed, **more}

    def _series(self, stat: Mapping[str, Any], bounds: tuple[datetime, datetime]) -> series.Values:
        metric_id, period = self._metric(stat["Metric"]), _period(stat["Period"])
        return self._read(metric_id, stat["Stat"], period, bounds, stat.get("Unit"))

    def _metric(self, request: Mapping[str, Any]) -> MetricId | None:
        dimensions = _canonical(_named(request.get("Dimensions")))
        row = self._store.read().execute(
            "SELECT id FROM cw_metrics WHERE namespace=? AND name=? AND dimensions=?",
            (request.get("Namespace"), request.get("MetricName"), dimensions),
        )
        found = row.fetchone()
        return found[0] if found else None

    def _read(
        self,
        metric_id: MetricId | None,
        statistic: str,
        period: int,
        bounds: tuple[datetime, datetime],
        unit: str | None,
    ) -> series.Values:
        if bounds[0] >= bounds[1]:
            raise AwsError("ValidationError", "The parameter EndTime must be after StartTime")
        if metric_id is None:
            series.check_statistic(statistic)
            return []
        db = self._store.read()
        return series.read(db, metric_id, statistic, period, bounds, unit)

    def _insert(self, rows: list[tuple[Metric, Point]]) -> None:
        with self._store.write() as db:
            ids = {metric: _metric_id(db, metric) for metric in {metric for metric, _ in rows}}
            for metric, point in rows:
                series.insert(db, ids[metric], point)
            self._sweep(db)

    def _sweep(self, db: sqlite3.Connection) -> None:
        now = self._now().timestamp()
        if now - self._swept_at >= _SWEEP_SECONDS:
            self._swept_at = now
            cloudwatch_retention.age(db, int(now * 1000))


def _metric_id(db: sqlite3.Connection, metric: Metric) -> MetricId:
    key = (metric.namespace, metric.name, metric.dimensions)
    db.execute("INSERT OR IGNORE INTO cw_metrics(namespace, name, dimensions) VALUES(?,?,?)", key)
    sql = "SELECT id FROM cw_metrics WHERE namespace=? AND name=? AND dimensions=?"
    return db.execute(sql, key).fetchone()[0]


def _points(datum: Mapping[str, Any], now: datetime) -> list[Point]:
    """A datum is one value, a statistic set, or values with counts."""
    at, unit = datum.get("Timestamp") or now, datum.get("Unit", "None")
    sets = datum.get("StatisticValues")
    if sets:
        figures = (sets["SampleCount"], sets["Sum"], sets["Minimum"], sets["Maximum"])
        _refuse_infinite(figures)
        return [Point(series.milliseconds(at), *figures, unit)]
    values = datum.get("Values") or ([datum["Value"]] if datum.get("Value") is not None else [])
    counts = datum.get("Counts") or [1.0] * len(values)
    if not values or len(values) != len(counts):
        raise AwsError(
            "InvalidParameterCombination", "Value, Values with Counts or StatisticValues"
        )
    _refuse_infinite(values)
    return [Point.of(value, at, count, unit) for value, count in zip(values, counts, strict=True)]


def _refuse_infinite(values: Iterable[float]) -> None:
    if not all(math.isfinite(value) for value in values):
        raise AwsError("InvalidParameterValue", "The value must be a finite number")


def _period(seconds: int) -> int:
    if seconds in (1, 5, 10, 20, 30) or (seconds > 0 and seconds % 60 == 0):
        return seconds
    raise AwsError("ValidationError", f"Period {seconds} must be 1, 5, 10, 20, 30 or n x 60")


def _named(dimensions: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {dimension["Name"]: dimension["Value"] for dimension in dimensions or ()}


def _canonical(dimensions: Mapping[str, str]) -> str:
    return orjson.dumps(dict(dimensions), option=orjson.OPT_SORT_KEYS).decode()


def _listed(dimensions: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in orjson.loads(dimensions).items()]


def _has_dimensions(dimensions: Mapping[str, str], filters: list[dict[str, str]]) -> bool:
    return all(
        f["Name"] in dimensions and f.get("Value", dimensions[f["Name"]]) == dimensions[f["Name"]]
        for f in filters
    )


def _label(query: Mapping[str, Any]) -> str:
    stat = query.get("MetricStat")
    return stat["Metric"]["MetricName"] if stat else query["Id"]


def _data_page(
    queries: list[dict[str, Any]], results: list[series.Values], start: int, limit: int
) -> dict[str, Any]:
    """`start` and `limit` count datapoints over all results in order."""
    listed, passed, left = [], 0, limit
    for query, values in zip(queries, results, strict=True):
        skipped = max(0, start - passed)
        taken = values[skipped : skipped + left]
        passed += len(values)
        left -= len(taken)
        listed.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or _label(query),
                "Timestamps": [at for at, _ in taken],
                "Values": [value for _, value in taken],
                "StatusCode": "Complete" if skipped + len(taken) >= len(values) else "PartialData",
            }
        )
    more = {"NextToken": token_of(str(start + limit))} if passed > start + limit else {}
    return {"MetricDataResults": listed, "Messages": [], **more}
