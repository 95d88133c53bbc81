"""Listening sockets: what is said when they cannot be had, and that closing them drops nobody."""

import socket
import sys

import pytest

from myapp.config import ConfigError
from myapp.listener import bind, close_all, close_copy, ignore_handshakes, take_waiting


class TestBind:
    def test_a_port_in_use_is_one_line_that_names_the_variable(self) -> None:
        (taken,) = bind("127.0.0.1", 0)
        with taken, pytest.raises(ConfigError) as caught:
            bind("127.0.0.1", taken.getsockname()[1], variable="HEALTH_PORT")
        message = str(caught.value)
        assert message.startswith("HEALTH_PORT: ")
        assert "already in use" in message
        assert "\n" not in message

    @pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "a" * 70 + ".b"])
    def test_a_host_that_is_not_ours_is_named(self, host: str) -> None:
        with pytest.raises(ConfigError, match=r"^HOST: "):
            bind(host, 0)

    def test_localhost_is_bound(self) -> None:
        sockets = bind("localhost", 0)
        assert sockets
        close_all(sockets)

    def test_a_client_may_connect_before_anybody_serves(self) -> None:
        (listener,) = bind("127.0.0.1", 0)
        with listener, socket.create_connection(listener.getsockname(), timeout=1):
            pass


class TestClosing:
    def test_who_was_connected_is_taken_and_the_door_closed(self) -> None:
        (listener,) = bind("127.0.0.1", 0)
        address = listener.getsockname()
        clients = [socket.create_connection(address, timeout=1) for _ in range(3)]
        accepted = take_waiting(listener)
        assert len(accepted) == len(clients)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=1)
        for client, connection in zip(clients, accepted, strict=True):
            connection.sendall(b"x")
            assert client.recv(1) == b"x"
        close_all(clients + accepted)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this means")
    def test_handshakes_are_ignored_until_the_listener_is_left(self) -> None:
        (listener,) = bind("127.0.0.1", 0)
        sharer = listener.dup()
        ignore_handshakes(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(listener.getsockname(), timeout=0.1)
        assert take_waiting(listener) == []
        with sharer, socket.create_connection(sharer.getsockname(), timeout=1):
            pass

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this means")
    def test_once_all_are_to_close_it_the_first_to_go_opens_it_for_nobody(self) -> None:
        (listener,) = bind("127.0.0.1", 0)
        first, last = listener.dup(), listener.dup()
        close_copy(listener)
        ignore_handshakes(first)
        assert take_waiting(first) == []
        with last, pytest.raises(TimeoutError):
            socket.create_connection(last.getsockname(), timeout=0.1)
