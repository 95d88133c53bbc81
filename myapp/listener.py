"""Listening sockets: opened with errors that name the setting, closed without slamming the door.

The kernel completes handshakes by itself and queues the connections until they are accepted.
Closing the listener resets those in the queue, and those whose last packet is on its way.
"""

import ctypes
import errno
import socket
import struct
import sys
from collections.abc import Sequence

import structlog

from myapp.config import ConfigError

log = structlog.get_logger()

BACKLOG = 2048  # connections that the kernel holds for us

# From Linux's <asm-generic/socket.h>, which Python's socket module does not have.
SO_ATTACH_FILTER = 26
SO_DETACH_FILTER = 27
SO_LOCK_FILTER = 44
# Classic BPF over a TCP header: load the flags; if SYN is among them drop the packet, else take it.
IGNORE_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


def bind(host: str, port: int, *, variable: str = "PORT") -> list[socket.socket]:
    """Listening sockets, one for each address of `host`; port 0 takes a free one.

    Raises ConfigError, naming `variable` where the port is at fault. Connections wait in the
    kernel until somebody accepts them.
    """
    sockets: list[socket.socket] = []
    try:
        for family, address in resolve(host, port):
            try:
                sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise ConfigError(f"{variable}: {explain(error, host, port)}") from None
    except ConfigError:
        close_all(sockets)
        raise
    if not sockets:
        raise ConfigError(f"HOST: {host} is no address of this machine")
    return sockets


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise ConfigError(f"HOST: {host} cannot be resolved") from None
    return list(dict.fromkeys((family, (str(at[0]), int(at[1]))) for family, *_, at in found))


def explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{port} on {host} is already in use"
    if error.errno == errno.EACCES:
        return f"{port} needs more rights than this process has"
    return f"{port} on {host}: {error.strerror}"


def close_all(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def ignore_handshakes(listener: socket.socket) -> None:
    """Makes Linux drop the first packet of new connections, until `take_waiting`.

    Their senders try again after a second, and then find the door closed, or another process
    that shares it. Elsewhere there is no such means.
    """
    if sys.platform != "linux":
        return
    lines = b"".join(struct.pack("HBBI", *line) for line in IGNORE_SYN)
    program = ctypes.create_string_buffer(lines)
    option = struct.pack("HP", len(IGNORE_SYN), ctypes.addressof(program))
    set_filter(listener, SO_ATTACH_FILTER, option)


def take_waiting(listener: socket.socket) -> list[socket.socket]:
    """Accepts what waits in the kernel's queue, and closes the listener right after."""
    accepted: list[socket.socket] = []
    listener.settimeout(0)
    with listener:
        while len(accepted) < BACKLOG:
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                log.warning("accept failed", error=repr(error))
                break
            connection.settimeout(0)
            accepted.append(connection)
        if sys.platform == "linux":
            set_filter(listener, SO_DETACH_FILTER, b"\0" * 4)  # it stays with those who share it
    return accepted


def close_copy(listener: socket.socket) -> None:
    """Leaves to others a listener that all of them are about to close.

    From now on no handshake begins, whoever of them is first or last to go.
    """
    with listener:
        ignore_handshakes(listener)
        if sys.platform == "linux":
            set_filter(listener, SO_LOCK_FILTER, struct.pack("i", 1))


def set_filter(listener: socket.socket, action: int, option: bytes) -> None:
    try:
        listener.setsockopt(socket.SOL_SOCKET, action, option)
    except OSError as error:
        # A sandbox may forbid it: then a handshake under way can be reset, and no more is lost.
        log.debug("socket filter refused", error=repr(error))
