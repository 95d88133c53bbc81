"""How the server begins, and how it ends with calls under way."""

import asyncio
import math
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from h2.errors import ErrorCodes
from hyperframe.frame import GoAwayFrame, RstStreamFrame
from prometheus_client import CollectorRegistry

from myapp.config import ConfigError
from myapp.grpc.call import FAREWELL_SECONDS
from myapp.grpc.metrics import CallMetrics
from myapp.grpc.server import LEAVING_SECONDS, PARTING_SECONDS, GrpcServer, methods_of
from myapp.listener import bind
from tests.grpc.conftest import Serve
from tests.grpc.probe import (
    SERVICE,
    Client,
    Logs,
    Note,
    Probe,
    ProbeGate,
    Running,
    refused,
    wait_for,
)
from tests.grpc.wire import Wire


async def always_well() -> bool:
    return True


def usual_parts() -> dict[str, Any]:
    return {
        "checks": always_well,
        "gate": ProbeGate(),
        "metrics": CallMetrics(CollectorRegistry()),
    }


async def begin_serving(tasks: asyncio.TaskGroup, **options: Any) -> tuple[int, asyncio.Event]:
    """Serves in this loop until the event that it returns with the port."""
    ready, stop = asyncio.Event(), asyncio.Event()
    sockets = bind("127.0.0.1", 0)
    server = GrpcServer([], sockets=sockets, **usual_parts(), **options)
    tasks.create_task(server.serve(stop, ready=ready.set, drain_seconds=0, deadline=9))
    await ready.wait()
    return sockets[0].getsockname()[1], stop


class TestStart:
    def test_it_needs_neither_quart_nor_firebase(self) -> None:
        program = "import sys, myapp.grpc.server; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        loaded = done.stdout.decode().split()
        assert "grpclib.server" in loaded
        assert not {"quart", "firebase_admin", "tortoise", "grpc"} & set(loaded)

    def test_every_method_is_listed_by_its_path(self) -> None:
        paths = methods_of([Probe()])
        assert f"/{SERVICE}/Echo" in paths
        assert "/grpc.health.v1.Health/Watch" in paths
        assert "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" in paths


class TestStop:
    def test_no_call_that_had_begun_fails(self, server: Running, logs: Logs) -> None:
        client = Client(server.port)
        calls = [
            client.echo.future(Note(text=str(n), seconds=PARTING_SECONDS + 0.2)) for n in range(50)
        ]
        for _ in calls:
            server.probe.begun.acquire()
        server.ask_to_stop()
        assert [call.result(timeout=5).text for call in calls] == [str(n) for n in range(50)]
        server.join()
        assert server.error is None
        assert logs.troubles() == []
        client.channel.close()

    def test_under_load_every_call_is_answered_or_cleanly_unavailable(self, serve: Serve) -> None:
        server = serve(drain_seconds=0.2)
        clients = [Client(server.port) for _ in range(4)]
        outcomes: list[Any] = []
        until = math.inf
        while time.monotonic() < until:
            outcomes += [client.echo.future(Note(seconds=0.05)) for client in clients]
            if len(outcomes) == 80:
                for _ in outcomes:  # or some may come when the server has gone
                    server.probe.begun.acquire()
                server.ask_to_stop()
                until = time.monotonic() + 0.8
            time.sleep(0.002)
        codes = [call.code() for call in outcomes]
        server.join()
        assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
        assert codes[:80] == [grpc.StatusCode.OK] * 80
        assert codes.count(grpc.StatusCode.OK) == len(server.probe.ended)
        for client in clients:
            client.channel.close()

    def test_it_does_not_wait_for_streams_and_idle_clients(self, server: Running) -> None:
        idle, watcher = Client(server.port), Client(server.port)
        idle.echo(Note())
        numbers = watcher.count(Note(seconds=0.01))
        next(numbers)
        started = time.monotonic()
        server.ask_to_stop()
        with refused(code=grpc.StatusCode.UNAVAILABLE):
            list(numbers)
        server.join()
        assert time.monotonic() - started < 5
        for client in (idle, watcher):
            client.channel.close()

    def test_a_call_over_the_deadline_is_cut_off_as_unavailable(
        self, serve: Serve, logs: Logs
    ) -> None:
        server = serve(deadline=LEAVING_SECONDS + 0.2)
        client = Client(server.port)
        call = client.echo.future(Note(text="endless", seconds=60))
        server.probe.begun.acquire()
        server.ask_to_stop()
        with refused(code=grpc.StatusCode.UNAVAILABLE) as caught:
            call.result(timeout=3)
        assert caught[0].details() == "The server is stopping"
        server.join()
        assert server.probe.ended == ["endless cancelled"]
        assert logs.wait_for("calls cut off")["calls"] == 1
        client.channel.close()

    def test_while_it_drains_calls_are_still_served(self, serve: Serve) -> None:
        server = serve(drain_seconds=2.0)
        server.ask_to_stop()
        time.sleep(0.1)
        client = Client(server.port)
        assert client.echo(Note(text="late")).text == "late"
        client.channel.close()

    def test_the_listener_closes_while_calls_finish(self, server: Running) -> None:
        client = Client(server.port)
        call = client.echo.future(Note(text="slow", seconds=2))
        server.probe.begun.acquire()
        server.ask_to_stop()

        def is_closed() -> bool:
            try:
                socket.create_connection(("127.0.0.1", server.port)).close()
            except ConnectionError:  # refused, or reset where it met the closing
                return True
            return False

        wait_for(is_closed)
        assert not call.done()
        assert call.result().text == "slow"
        client.channel.close()

    def test_a_client_hears_that_it_shall_go_and_which_call_was_the_last(
        self, server: Running, wire: Wire
    ) -> None:
        assert wire.call()["grpc-status"] == "0"
        server.ask_to_stop()
        goaways = [frame for frame in wire.frames() if isinstance(frame, GoAwayFrame)]
        assert [frame.last_stream_id for frame in goaways] == [2**31 - 1, 1]

    def test_a_call_after_the_goodbye_is_refused_as_not_begun(
        self, server: Running, wire: Wire
    ) -> None:
        server.ask_to_stop()
        frames = wire.frames()
        while not (isinstance(frame := next(frames), GoAwayFrame) and frame.last_stream_id == 0):
            pass
        wire.request()
        wire.send()
        resets = [frame for frame in frames if isinstance(frame, RstStreamFrame)]
        assert [frame.error_code for frame in resets] == [ErrorCodes.REFUSED_STREAM]

    @pytest.mark.parametrize("turns", range(8))
    async def test_a_client_that_comes_just_then_is_let_go(self, turns: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            port, stop = await begin_serving(tasks)
            stop.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            client = socket.socket()
            client.settimeout(5)
            with suppress(ConnectionRefusedError):
                client.connect(("127.0.0.1", port))
        with client, suppress(ConnectionError):
            while client.recv(4096):  # while this waits, the loop does nothing more
                pass

    async def test_a_server_that_is_cancelled_drops_everything(self) -> None:
        ready = asyncio.Event()
        sockets = bind("127.0.0.1", 0)
        port = sockets[0].getsockname()[1]
        server = GrpcServer([], sockets=sockets, **usual_parts())
        serving = asyncio.create_task(
            server.serve(asyncio.Event(), ready=ready.set, drain_seconds=9, deadline=9)
        )
        await ready.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.read(1)
        serving.cancel()
        assert await asyncio.wait_for(reader.read(), 5) is not None
        writer.close()
        with pytest.raises(asyncio.CancelledError):
            await serving

    def test_a_client_that_does_not_read_is_left_behind(self, serve: Serve) -> None:
        server = serve(deadline=30, message_limit=64 * 1024 * 1024)
        wire = Wire(server.port)
        wire.h2.update_settings({4: 2**30})
        wire.h2.increment_flow_control_window(2**30)
        stream = wire.request(method="Flood")
        wire.h2.send_data(stream, b"\0\0\0\0\0", end_stream=True)
        wire.send()
        server.probe.begun.acquire()
        started = time.monotonic()
        server.ask_to_stop()
        server.join()
        assert time.monotonic() - started < FAREWELL_SECONDS + LEAVING_SECONDS + 5  # of 30
        assert server.connections() == []
        wire.socket.close()


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path


class TestTls:
    def test_calls_go_through_it_and_finish_at_a_stop(self, serve: Serve, tmp_path: Path) -> None:
        cert, key = write_certificate(tmp_path)
        server = serve(tls_cert=cert, tls_key=key)
        client = Client(server.port, root=cert)
        assert client.echo(Note(text="private")).text == "private"
        call = client.echo.future(Note(text="slow", seconds=0.3))
        server.probe.begun.acquire()
        server.probe.begun.acquire()
        server.ask_to_stop()
        assert call.result(timeout=5).text == "slow"
        server.join()
        client.channel.close()

    async def test_a_handshake_that_outlasts_the_server_ends_in_nothing(
        self, tmp_path: Path
    ) -> None:
        cert, key = write_certificate(tmp_path)
        async with asyncio.TaskGroup() as tasks:
            port, stop = await begin_serving(tasks, tls_cert=cert, tls_key=key)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.1)  # accepted, and waiting for the first word
            stop.set()
        async with asyncio.timeout(15):
            with suppress(OSError):  # ssl's own errors among them
                await writer.start_tls(ssl.create_default_context(cafile=cert))
                await reader.read()
        writer.close()

    def test_a_plain_client_is_turned_away(self, serve: Serve, tmp_path: Path, logs: Logs) -> None:
        cert, key = write_certificate(tmp_path)
        server = serve(tls_cert=cert, tls_key=key)
        plain = Client(server.port)
        with refused(code=grpc.StatusCode.UNAVAILABLE):
            plain.echo(Note(), timeout=20)
        plain.channel.close()
        private = Client(server.port, root=cert)
        assert private.echo(Note(text="still here")).text == "still here"
        private.channel.close()
        assert logs.troubles() == []

    def test_files_that_cannot_be_loaded_name_the_variables(self, tmp_path: Path) -> None:
        cert, key = write_certificate(tmp_path)
        options: dict[str, Any] = {"sockets": [], **usual_parts()}
        with pytest.raises(ConfigError, match=r"^GRPC_TLS_KEY is missing"):
            GrpcServer([], tls_cert=cert, **options)
        with pytest.raises(ConfigError, match=r"^GRPC_TLS_CERT is missing"):
            GrpcServer([], tls_key=key, **options)
        with pytest.raises(ConfigError, match="cannot be loaded: No such file"):
            GrpcServer([], tls_cert=tmp_path / "none.pem", tls_key=key, **options)
        with pytest.raises(ConfigError, match="cannot be loaded: "):
            GrpcServer([], tls_cert=key, tls_key=cert, **options)
