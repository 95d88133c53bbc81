"""Messages that are too large, compressed, cut short or no messages at all."""

import grpc
import pytest

from tests.grpc.conftest import Serve
from tests.grpc.probe import Client, Logs, Note, refused
from tests.grpc.wire import GOOD, Wire, framed

MEBIBYTE = 1024 * 1024


class TestSize:
    def test_twenty_megabytes_are_refused_and_the_server_is_well(self, client: Client) -> None:
        with refused(code=grpc.StatusCode.RESOURCE_EXHAUSTED) as caught:
            client.echo(Note(text="x" * 20 * MEBIBYTE))
        assert caught[0].details() == "The message is larger than 4194304 bytes"
        assert client.echo(Note(text="well")).text == "well"

    def test_the_limit_itself_is_fine(self, serve: Serve) -> None:
        client = Client(serve(message_limit=1000).port)
        fits = Note(text="x" * 997)
        assert fits.ByteSize() == 1000
        assert client.echo(fits).text == fits.text
        with refused(code=grpc.StatusCode.RESOURCE_EXHAUSTED):
            client.echo(Note(text="x" * 998))
        client.channel.close()

    def test_the_length_is_refused_before_the_message_comes(self, wire: Wire) -> None:
        stream = wire.request()
        wire.h2.send_data(stream, framed(b"", length=2**32 - 1))
        wire.send()
        assert wire.answer(stream)["grpc-status"] == "8"

    def test_the_second_message_of_a_stream_is_judged_too(self, client: Client) -> None:
        with refused(code=grpc.StatusCode.RESOURCE_EXHAUSTED):
            client.collect(iter([Note(text="a"), Note(text="x" * 5 * MEBIBYTE)]))


class TestNonsense:
    def test_garbage_is_an_invalid_argument(self, client: Client, logs: Logs) -> None:
        with refused(code=grpc.StatusCode.INVALID_ARGUMENT) as caught:
            client.echo(b"\xff\xff\xff\xff")
        assert caught[0].details() == "The message is not of the type that this method takes"
        assert logs.troubles() == []

    def test_gzip_is_unimplemented(self, client: Client, logs: Logs) -> None:
        with refused(code=grpc.StatusCode.UNIMPLEMENTED) as caught:
            client.echo(Note(text="x" * 10000), compression=grpc.Compression.Gzip)
        assert caught[0].details() == "Compressed messages are not supported"
        assert logs.troubles() == []

    @pytest.mark.parametrize(
        "body", [b"", GOOD[:3], GOOD[:5], GOOD[:-1]], ids=["none", "prefix", "start", "short"]
    )
    def test_a_message_that_is_cut_short_is_an_invalid_argument(
        self, wire: Wire, logs: Logs, body: bytes
    ) -> None:
        assert wire.call(body)["grpc-status"] == "3"
        assert logs.troubles() == []
