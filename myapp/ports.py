"""The ports that the roles need."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from myapp.config import Settings
from myapp.enums import Role
from myapp.grpc.tls import open_tls
from myapp.listener import bind, close_all

HEALTH = "health"

# Listening sockets by the name of the role, and those of HEALTH_PORT.
Ports = Mapping[str, Sequence[socket.socket]]


@contextmanager
def open_ports(settings: Settings, roles: Sequence[Role]) -> Iterator[Ports]:
    """Binds the ports of these roles before anything else is touched: one in use ends it here.

    So does a certificate for one of them that cannot be loaded.
    """
    ports: dict[str, Sequence[socket.socket]] = {}
    try:
        if Role.GRPC in roles:
            open_tls(settings.grpc_tls_cert, settings.grpc_tls_key)
        if Role.API in roles:
            ports[Role.API] = bind(settings.host, settings.port)
        if Role.GRPC in roles:
            ports[Role.GRPC] = bind(settings.host, settings.grpc_port, variable="GRPC_PORT")
        if settings.health_port is not None:
            ports[HEALTH] = bind(settings.host, settings.health_port, variable="HEALTH_PORT")
        yield ports
    finally:
        close_ports(ports)


def close_ports(ports: Ports) -> None:
    for sockets in ports.values():
        close_all(sockets)


def addresses(ports: Ports) -> dict[str, str]:
    """Where each role listens, by its name."""
    return {
        str(name): ", ".join(
            "{}:{}".format(*one.getsockname()[:2]) for one in sockets if one.fileno() >= 0
        )
        for name, sockets in ports.items()
        if sockets
    }
