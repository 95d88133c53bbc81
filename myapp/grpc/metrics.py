"""Calls, counted and timed by method."""

from grpclib import Status
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class CallMetrics:
    """The metrics of gRPC. The time of a call that answers with a stream says nothing: it lasts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "grpc_calls_total", "Calls answered", ("method", "code"), registry=registry
        )
        self._seconds = Histogram(
            "grpc_call_duration_seconds", "Time to the answer", ("method",), registry=registry
        )
        self.in_flight = Gauge("grpc_calls_in_flight", "Calls under way", registry=registry)

    def observe(self, method: str, status: Status, *, seconds: float | None) -> None:
        """Counts one call. `method` is one that we have: a caller's own text is no label."""
        self._calls.labels(method, status.name).inc()
        if seconds is not None:
            self._seconds.labels(method).observe(seconds)
