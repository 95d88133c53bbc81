"""Every Redis key and channel of live events, in one place.

The Lua scripts are given the same names, as locals. A stream's key is also the name of the
channel on which its events are announced.
"""

from enum import StrEnum


class Key(StrEnum):
    """Templates: `Key.USER % "abc"` is the name of one key."""

    # HASH: where the order of events stands: `epoch`, `ms`, `n`.
    ORDER = "myapp:events:order"
    # STREAM: the events for one user.
    USER = "myapp:events:user:%s"
    # STREAM: the events for everybody.
    ALL = "myapp:events:all"
    # STREAM: every event of both kinds once more, for administrators.
    EVERYTHING = "myapp:events:everything"
    # STRING with a lifetime: the position of an event that must not be appended twice.
    ONCE = "myapp:events:once:%s"
    # ZSET by time of expiry: a user's open streams, in all processes.
    LEASES = "myapp:events:leases:%s"
    # HASH: how many streams each process has open: "<count> <time of expiry>".
    OPEN = "myapp:events:open"
    # STRING with a lifetime: who may open one stream with a ticket, by the ticket's digest.
    TICKET = "myapp:events:ticket:2:%s"
