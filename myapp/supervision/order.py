"""What a supervisor tells a process that it starts, over the line that is its standard input.

The line is a pair of connected sockets. The order comes first; the process answers when it serves.
After that nothing is said: whoever finds the line cut knows that the other one is gone, and a
supervisor cuts it when it wants the process to drain. So a stop and the death of the supervisor
are one thing to a process, and a platform may signal all of them at once without any of them
taking a second signal for an order to end at once.
"""

import pickle
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from myapp.config import Settings
from myapp.ports import Ports, close_ports

READY = b"+"


@dataclass(frozen=True, slots=True)
class Order:
    """To be the process of this number, from 1.

    `supervisor` is the process id of who gives it, `listeners` are file descriptors by role, and
    `metrics` is the folder of those.
    """

    number: int
    supervisor: int
    settings: Settings
    listeners: Mapping[str, Sequence[int]]
    metrics: Path

    def give(self, line: socket.socket) -> None:
        """Puts the order on the line, whether or not somebody listens there yet."""
        line.sendall(pickle.dumps(self))

    @contextmanager
    def take_ports(self) -> Iterator[Ports]:
        """The supervisor's listeners, as sockets of this process."""
        ports = {
            name: [socket.socket(fileno=number) for number in numbers]
            for name, numbers in self.listeners.items()
        }
        try:
            yield ports
        finally:
            close_ports(ports)


def receive_order(line: socket.socket) -> Order:
    """The order that is waiting on the line. Raises EOFError when its giver is gone."""
    with line.makefile("rb") as stream:
        order: Order = pickle.load(stream)  # noqa: S301  # from the process that started this one
    return order
