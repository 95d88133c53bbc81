"""The outbox's relay: no role, but at work next to each of them, since all of them write."""

from myapp.outbox.lease import RelayLease
from myapp.outbox.metrics import OutboxMetrics
from myapp.outbox.relay import Relay
from myapp.queue.tasks import Registry
from myapp.resources import Resources


def make_relay(resources: Resources, tasks: Registry) -> Relay:
    """The relay of this process, to be entered before its roles begin and left after their end."""
    return Relay(
        resources.outbox,
        jobs=resources.jobs,
        hub=resources.hub,
        tasks=tasks,
        lease=RelayLease(resources.redis),
        metrics=OutboxMetrics(resources.metrics),
    )
