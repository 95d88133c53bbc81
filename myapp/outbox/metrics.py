"""What the outbox measures."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from myapp.database.outbox import OutboxKind, OutboxState

BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


class OutboxMetrics:
    """Counts are this process's own; how much waits is the same for all, seconds ago."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._handed_on = Counter(
            "outbox_handed_on", "Rows that this process handed on", ["kind"], registry=registry
        )
        self._refused = Counter(
            "outbox_refused", "Rows that could not be handed on, each try", registry=registry
        )
        self._seconds = Histogram(
            "outbox_lag_seconds",
            "From the writing of a row to its handover",
            buckets=BUCKETS,
            registry=registry,
        )
        self._waiting = Gauge("outbox_waiting", "Rows that wait", registry=registry)
        self._oldest = Gauge(
            "outbox_oldest_seconds", "Age of the oldest row that waits", registry=registry
        )
        self._set_aside = Gauge(
            "outbox_set_aside", "Rows that were given up, with their errors", registry=registry
        )

    def count_handover(self, kind: OutboxKind, *, written_at: float) -> None:
        """`written_at` is in unix seconds."""
        self._handed_on.labels(kind.value).inc()
        self._seconds.observe(max(0.0, time.time() - written_at))

    def count_refusal(self) -> None:
        self._refused.inc()

    def show(self, state: OutboxState) -> None:
        self._waiting.set(state.waiting)
        age = time.time() - state.oldest.timestamp() if state.oldest else 0.0
        self._oldest.set(max(0.0, age))
        self._set_aside.set(state.set_aside)
