"""A service to test with, made without generated code, and a server of it in its own thread."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import uvloop
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpclib.const import Cardinality, Handler
from prometheus_client import CollectorRegistry

from myapp.errors import (
    AppError,
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from myapp.grpc.metrics import CallMetrics
from myapp.grpc.server import GrpcServer
from myapp.listener import bind

SERVICE = "probe.v1.Probe"
WAIT_SECONDS = 30.0  # for whatever is waited for; a busy machine is slow
METHODS = {
    "Echo": Cardinality.UNARY_UNARY,
    "Count": Cardinality.UNARY_STREAM,
    "Collect": Cardinality.STREAM_UNARY,
    "Mute": Cardinality.UNARY_UNARY,
    "Flood": Cardinality.UNARY_STREAM,
}
FAILURES: dict[str, Exception] = {
    "invalid": Invalid("Look again", details=[FieldError("name", "Too long")]),
    "unauthenticated": Unauthenticated(),
    "forbidden": Forbidden(),
    "not found": NotFound("No such probe"),
    "conflict": Conflict(),
    "too large": TooLarge(),
    "unsupported media": UnsupportedMedia(),
    "rate limited": RateLimited(),
    "unavailable": Unavailable(retry_after=1.5),
    "app error": AppError(),
    "unforeseen": RuntimeError("secret of the house"),
    "own timeout": TimeoutError("secret of the house"),
}


def define_messages() -> type[Any]:
    """Registers the service where reflection finds it, and returns its one message type."""
    file = FileDescriptorProto(name="probe/v1/probe.proto", package="probe.v1", syntax="proto3")
    message = file.message_type.add(name="Note")
    message.field.add(name="text", number=1, type=9, label=1)
    message.field.add(name="seconds", number=2, type=1, label=1)
    message.field.add(name="fail", number=3, type=9, label=1)
    service = file.service.add(name="Probe")
    for name, cardinality in METHODS.items():
        service.method.add(
            name=name,
            input_type=".probe.v1.Note",
            output_type=".probe.v1.Note",
            client_streaming=cardinality.client_streaming,
            server_streaming=cardinality.server_streaming,
        )
    pool = descriptor_pool.Default()
    pool.Add(file)
    note: type[Any] = message_factory.GetMessageClass(pool.FindMessageTypeByName("probe.v1.Note"))
    return note


Note: Any = define_messages()


class Probe:
    """Does what the note says: waits, fails, echoes; and remembers what became of its calls."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.ended: list[str] = []

    def __mapping__(self) -> dict[str, Handler]:
        return {
            f"/{SERVICE}/{name}": Handler(getattr(self, name.lower()), cardinality, Note, Note)
            for name, cardinality in METHODS.items()
        }

    async def echo(self, stream: Any) -> None:
        note = await stream.recv_message()
        self.begun.release()
        try:
            await asyncio.sleep(note.seconds)
        except asyncio.CancelledError:
            self.ended.append(f"{note.text} cancelled")
            raise
        if note.fail:
            raise FAILURES[note.fail]
        self.ended.append(note.text)
        await stream.send_message(Note(text=note.text))

    async def count(self, stream: Any) -> None:
        note = await stream.recv_message()
        self.begun.release()
        number = 0
        while True:
            await stream.send_message(Note(text=str(number)))
            await asyncio.sleep(note.seconds)
            number += 1

    async def collect(self, stream: Any) -> None:
        texts = [note.text async for note in stream]
        await stream.send_message(Note(text=",".join(texts)))

    async def mute(self, stream: Any) -> None:
        await stream.recv_message()

    async def flood(self, stream: Any) -> None:
        await stream.recv_message()
        for _ in range(16):
            self.begun.release()
            await stream.send_message(Note(text="x" * 1_000_000))


class ProbeGate:
    """Lets in everybody, until it is told what to raise; it knows nobody, unless it is `named`.

    While it is `hung` it never answers by itself.
    """

    def __init__(self) -> None:
        self.hung = False
        self.error: Exception | None = None
        self.named: str | None = None
        self.asked: list[str] = []

    async def admit(
        self, path: str, _metadata: Mapping[str, Any], _address: str | None
    ) -> str | None:
        self.asked.append(path)
        if self.hung:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        return self.named

    async def admit_again(self, path: str, metadata: Mapping[str, Any]) -> None:
        await self.admit(path, metadata, None)


@dataclass
class Running:
    """A server at work in its own thread; its checks say `healthy`, or raise when `failing`."""

    options: dict[str, Any]
    drain_seconds: float = 0.0
    deadline: float = 10.0
    healthy: bool = True
    failing: bool = False
    checked: int = 0
    probe: Probe = field(default_factory=Probe)
    gate: ProbeGate = field(default_factory=ProbeGate)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    port: int = 0
    error: Exception | None = None

    def start(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def ask_to_stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)

    def connections(self) -> list[Any]:
        return list(self._server._connections)

    def held_streams(self) -> int:
        """How many HTTP/2 streams the server has not let go of."""
        return sum(len(connection.processor.streams) for connection in self.connections())

    def join(self) -> None:
        self._thread.join(15)
        assert not self._thread.is_alive()

    def close(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: it has ended by itself
            self.ask_to_stop()
        self.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except Exception as error:  # noqa: BLE001  # the tests look at it
            self.error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        sockets = bind("127.0.0.1", 0)
        self.port = sockets[0].getsockname()[1]
        usual: dict[str, Any] = {
            "sockets": sockets,
            "checks": self._check,
            "poll_seconds": 0.1,
            "gate": self.gate,
            "metrics": CallMetrics(self.registry),
        }
        self._server = GrpcServer([self.probe], **usual, **self.options)
        await self._server.serve(
            self._stop,
            ready=self._ready.set,
            drain_seconds=self.drain_seconds,
            deadline=self.deadline,
        )

    async def _check(self) -> bool:
        self.checked += 1
        if self.failing:
            raise ConnectionError("secret of the house")
        return self.healthy


class Client:
    """A grpcio channel, with the probe's methods and any other by path."""

    def __init__(self, port: int, *, root: Path | None = None) -> None:
        target = f"localhost:{port}"
        options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        if root:
            credentials = grpc.ssl_channel_credentials(root.read_bytes())
            self.channel = grpc.secure_channel(target, credentials, options)
        else:
            self.channel = grpc.insecure_channel(target, options)
        self.echo = self.method("unary_unary", f"/{SERVICE}/Echo")
        self.count = self.method("unary_stream", f"/{SERVICE}/Count")
        self.collect = self.method("stream_unary", f"/{SERVICE}/Collect")
        self.mute = self.method("unary_unary", f"/{SERVICE}/Mute")

    def method(self, shape: str, path: str, answer: Any = Note) -> Any:
        return getattr(self.channel, shape)(
            path,
            request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
            response_deserializer=answer.FromString,
        )


@contextmanager
def refused(*, code: grpc.StatusCode) -> Iterator[Any]:
    """The body must fail with this status; gives the error, filled in afterwards."""
    caught: list[grpc.RpcError] = []
    try:
        yield caught
    except grpc.RpcError as error:
        caught.append(error)
    assert caught, f"not refused with {code}"
    assert caught[0].code() is code, caught[0]


def wait_for(condition: Callable[[], Any]) -> Any:
    """What the condition gives, once that is true: the server is a little behind its answers."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return result


class Logs:
    """What the server logged, ours and that of `logging`."""

    def __init__(self, entries: list[Any], records: list[Any]) -> None:
        self._entries = entries
        self._records = records

    def wait_for(self, event: str) -> Any:
        return wait_for(lambda: [entry for entry in self._entries if entry["event"] == event])[0]

    def troubles(self) -> list[Any]:
        """Errors and warnings, but not those of a call that takes long: the machine may be busy."""
        ours = [
            entry
            for entry in self._entries
            if (entry["log_level"], entry["event"]) != ("warning", "call")
            and entry["log_level"] in ("warning", "error")
        ]
        return ours + [record.getMessage() for record in self._records if record.levelno >= 30]
