"""What is counted about live events."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

DELIVERY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class StreamMetrics:
    """This process' part in live events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("event_streams_open", "Streams that are open now", registry=registry)
        self.published = Counter(
            "events_published", "Events given their place in history", registry=registry
        )
        self.delivered = Counter(
            "events_delivered", "Events handed to a stream's connection", registry=registry
        )
        self.dropped = Counter(
            "event_readers_dropped",
            "Streams cut because their reader was too slow",
            registry=registry,
        )
        self.replays = Counter("event_replays", "Returns to a stream by an id", registry=registry)
        self.resyncs = Counter(
            "event_resyncs", "Times that history did not reach back", registry=registry
        )
        self.seconds = Histogram(
            "event_delivery_seconds",
            "From an event's place in history to the last stream of this process, by the clocks "
            "of Redis and of this machine",
            buckets=DELIVERY_SECONDS,
            registry=registry,
        )
