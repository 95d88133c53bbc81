"""What no gRPC client sends, and others might: the server answers, or closes, without a fuss."""

import socket
from collections.abc import Callable
from contextlib import suppress

import pytest
from hyperframe.frame import DataFrame, Frame, GoAwayFrame

from tests.grpc.probe import Logs, Note, Running, wait_for
from tests.grpc.wire import GOOD, Wire, framed


class TestHeaders:
    def test_a_byte_that_is_not_ascii_harms_nobody(self, wire: Wire, logs: Logs) -> None:
        answer = wire.call(headers={"x-request-id": b"\xff\xfe"})
        assert answer["grpc-status"] == "0"
        assert len(answer["x-request-id"]) == 32
        assert logs.troubles() == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("x-bin", "a"),
            ("x-bin", b"\xff"),
            ("grpc-timeout", "soon"),
            ("grpc-timeout", "9" * 400 + "m"),
        ],
    )
    def test_those_that_cannot_be_read_are_an_invalid_argument(
        self, wire: Wire, logs: Logs, name: str, value: str | bytes
    ) -> None:
        assert wire.call(headers={name: value})["grpc-status"] == "3"
        assert logs.troubles() == []

    @pytest.mark.parametrize(
        ("headers", "status"),
        [({":method": "GET"}, "405"), ({"content-type": "application/json"}, "415")],
    )
    def test_what_is_not_grpc_gets_an_http_status(
        self, wire: Wire, headers: dict[str, str | bytes], status: str
    ) -> None:
        assert wire.call(headers=headers)[":status"] == status


class TestDeadline:
    @pytest.mark.parametrize("timeout", ["0n", "1n", "100m"])
    def test_the_server_keeps_it_by_itself(self, wire: Wire, logs: Logs, timeout: str) -> None:
        slow = framed(b"\x11" + b"\x00" * 6 + b"\x22\x40")  # nine seconds
        answer = wire.call(slow, headers={"grpc-timeout": timeout})
        assert answer["grpc-status"] == "4"
        assert logs.troubles() == []

    def test_a_thousand_years_are_as_good_as_none(self, wire: Wire) -> None:
        assert wire.call(headers={"grpc-timeout": "99999999H"})["grpc-status"] == "0"


class TestFrames:
    def test_an_unknown_frame_is_ignored(self, wire: Wire, logs: Logs) -> None:
        wire.send(b"\0\0\3\x0b\0\0\0\0\0abc")
        assert wire.call()["grpc-status"] == "0"
        assert logs.troubles() == []

    def test_an_empty_frame_does_not_end_a_message(self, wire: Wire) -> None:
        stream = wire.request()
        wire.h2.send_data(stream, GOOD[:2])
        wire.h2.send_data(stream, b"")
        wire.h2.send_data(stream, GOOD[2:], end_stream=True)
        wire.send()
        assert wire.answer(stream)["grpc-status"] == "0"

    def test_calls_that_are_reset_at_once_leave_nothing(
        self, server: Running, wire: Wire, logs: Logs
    ) -> None:
        for _ in range(300):
            stream = wire.request()
            wire.h2.reset_stream(stream)
        wire.send()
        assert wire.call()["grpc-status"] == "0"
        assert logs.troubles() == []
        wait_for(lambda: not server.held_streams())

    def test_a_client_that_says_goodbye_has_the_answers_to_its_calls(
        self, server: Running, wire: Wire, logs: Logs
    ) -> None:
        stream = wire.request()
        note = Note(text="last", seconds=0.3)
        wire.h2.send_data(stream, framed(note.SerializeToString()), end_stream=True)
        wire.send(GoAwayFrame().serialize())
        assert wire.answer(stream)["grpc-status"] == "0"
        assert server.probe.ended == ["last"]
        assert logs.troubles() == []

    def test_http_1_is_shown_the_door(self, server: Running, logs: Logs) -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while client.recv(4096):
                pass
        assert logs.troubles() == []

    def test_a_broken_frame_ends_its_connection_alone(
        self, dial: Callable[[], Wire], logs: Logs
    ) -> None:
        wire, other = dial(), dial()
        frame: Frame = DataFrame(99, b"to nobody")
        wire.send(frame.serialize())
        with suppress(ConnectionResetError):  # for what we say that is no longer read
            list(wire.events())  # until it is closed
        assert other.call()["grpc-status"] == "0"
        assert logs.troubles() == []

    def test_a_client_that_vanishes_takes_its_calls_along(
        self, server: Running, wire: Wire
    ) -> None:
        stream = wire.request(method="Count")
        wire.h2.send_data(stream, GOOD, end_stream=True)
        wire.send()
        server.probe.begun.acquire()
        wire.socket.close()
        wait_for(lambda: not server.held_streams())
