"""The role `grpc`, before it serves."""

import socket
import sys

import pytest

from myapp.listener import bind
from myapp.roles.grpc import notice_dead_clients


@pytest.mark.skipif(sys.platform != "linux", reason="the options are Linux's")
def test_connections_whose_client_is_gone_are_given_up() -> None:
    (listener,) = bind("127.0.0.1", 0)
    notice_dead_clients([listener])
    with listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            unacknowledged = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert unacknowledged == 30_000
