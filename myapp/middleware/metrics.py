"""Requests, counted and timed by the route's template: an id never becomes a label."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from quart.typing import ResponseTypes

from myapp.application import Application
from myapp.connection import Request

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"  # a method that a client made up
UNMATCHED = "unmatched"  # a path that no route has


class Series(NamedTuple):
    """Where requests of one method, route and status are counted."""

    requests: Counter
    seconds: Histogram


class HttpMetrics:
    """The metrics of HTTP. A stream's time is that to its beginning."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route")
        self._requests = Counter(
            "http_requests_total", "Requests answered", (*labels, "status"), registry=registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds", "Time to the answer", labels, registry=registry
        )
        self.in_flight = Gauge("http_requests_in_flight", "Requests under way", registry=registry)
        # Finding a labelled child costs more than counting in it.
        self._series: dict[tuple[str, str, int], Series] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one request. `route` is a template."""
        key = (method, route, status)
        series = self._series.get(key) or self._find(key)
        series.requests.inc()
        series.seconds.observe(seconds)

    def _find(self, key: tuple[str, str, int]) -> Series:
        method, route, status = key
        series = Series(
            self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
        )
        self._series[key] = series
        return series


def measure_requests(app: Application, metrics: HttpMetrics) -> None:
    """Measures every request that this application answers."""
    metrics.in_flight.set_function(lambda: app.in_flight)

    def observe(request: Request, response: ResponseTypes, seconds: float) -> None:
        rule = request.url_rule
        metrics.observe(
            request.method if request.method in METHODS else OTHER,
            UNMATCHED if rule is None else rule.rule,
            response.status_code,
            seconds,
        )

    app.observers.append(observe)
