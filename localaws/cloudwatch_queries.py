"""The queries of one GetMetricData request: each is read or computed once, whoever refers to it."""

from collections.abc import Callable, Mapping
from typing import Any

from localaws.cloudwatch_math import Scope, Series, evaluate
from localaws.cloudwatch_series import Values
from localaws.errors import AwsError

Query = Mapping[str, Any]


class Queries:
    """`read` gives the points of a MetricStat, ascending."""

    def __init__(self, queries: list[dict[str, Any]], read: Callable[[Query], Values]):
        self._queries: dict[str, Query] = {query["Id"]: query for query in queries}
        if len(self._queries) != len(queries):
            raise _invalid("The query ids must be unique")
        self._read = read
        self._done: dict[str, Values] = {}
        self._open: set[str] = set()

    def values(self, query_id: str) -> Values:
        """Ascending in time."""
        if query_id not in self._queries:
            raise _invalid(f"No query has the id {query_id}")
        if query_id in self._open:
            raise _invalid(f"The expression {query_id} refers to itself")
        if query_id not in self._done:
            self._open.add(query_id)
            self._done[query_id] = self._result(self._queries[query_id])
            self._open.remove(query_id)
        return self._done[query_id]

    def _result(self, query: Query) -> Values:
        if "MetricStat" in query:
            return self._read(query["MetricStat"])
        scope = Scope(self._series, self._metrics)
        return sorted(evaluate(query.get("Expression", ""), scope).items())

    def _series(self, query_id: str) -> Series:
        return dict(self.values(query_id))

    def _metrics(self) -> list[Series]:
        return [self._series(q["Id"]) for q in self._queries.values() if "MetricStat" in q]


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
