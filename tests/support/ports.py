"""Ports for servers that cannot look for one themselves."""

import socket
from contextlib import ExitStack

_given = set[int]()


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now, and none twice: a server may be slow to take its own."""
    ports = list[int]()
    with ExitStack() as stack:
        while len(ports) < count:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = server.getsockname()[1]
            if port not in _given:
                ports.append(port)
    _given.update(ports)
    return ports
