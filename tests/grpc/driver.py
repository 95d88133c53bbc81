"""Run as a program: a grpcio client that knows of a service what reflection says, and no more.

It cannot share a process with grpclib's reflection: both define the same messages. Takes commands
as lines of JSON, the arguments of a method of Driver, and answers each with a line.
"""

import json
import sys
import threading
from typing import Any

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SERVICE = "myapp.account.v1.AccountService"
OPTIONS = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]


class Service:
    """The account service at one address."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, OPTIONS)
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        self._methods = pool.FindServiceByName(SERVICE).methods_by_name

    def begin(
        self, method: str, request: dict[str, Any], metadata: list[Any], timeout: float
    ) -> Any:
        described = self._methods[method]
        request_type = message_factory.GetMessageClass(described.input_type)
        answer_type = message_factory.GetMessageClass(described.output_type)
        shape = (
            self.channel.unary_stream if described.server_streaming else self.channel.unary_unary
        )
        call = shape(
            f"/{SERVICE}/{method}",
            request_serializer=request_type.SerializeToString,
            response_deserializer=answer_type.FromString,
        )
        message = json_format.ParseDict(request, request_type())
        begin = call if described.server_streaming else call.future
        return begin(message, metadata=[tuple(pair) for pair in metadata], timeout=timeout)


class Watch:
    """A stream that is read in a thread of its own."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.messages: list[Any] = []
        self.outcome: dict[str, Any] | None = None
        self.changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for message in self.call:
                with self.changed:
                    self.messages.append(to_dict(message))
                    self.changed.notify()
        except grpc.RpcError:
            pass
        with self.changed:
            self.outcome = describe(self.call)
            self.changed.notify()


class Load:
    """Clients that call again and again."""

    def __init__(
        self, service: Service, clients: int, calls: list[Any], call: dict[str, Any]
    ) -> None:
        self._ends: list[dict[str, Any]] = []
        self._threads = [
            threading.Thread(target=self._call, args=(service, calls[n % len(calls)], call))
            for n in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def _call(self, service: Service, what: tuple[str, Any], call: dict[str, Any]) -> None:
        answered = 0
        while True:
            outcome = describe(service.begin(*what, **call))
            if outcome["code"] != "OK":
                self._ends.append(outcome | {"answered": answered})
                return
            answered += 1

    def wait(self) -> list[dict[str, Any]]:
        for thread in self._threads:
            thread.join()
        return self._ends


class Driver:
    def __init__(self) -> None:
        self._services: dict[str, Service] = {}
        self._calls: dict[int, Any] = {}
        self._watches: dict[int, Watch] = {}
        self._load: Load | None = None

    def begin(self, address: str, times: int, **call: Any) -> int:
        """Begins calls, all at once; the answer is the number of the batch."""
        service = self._service(address)
        number = len(self._calls)
        self._calls[number] = [service.begin(**call) for _ in range(times)]
        return number

    def finish(self, number: int) -> list[dict[str, Any]]:
        return [describe(call) for call in self._calls.pop(number)]

    def watch(self, address: str, **call: Any) -> int:
        """Returns when the first metadata is there, or the call has ended."""
        watch = Watch(self._service(address).begin(**call))
        watch.call.initial_metadata()
        number = len(self._watches)
        self._watches[number] = watch
        return number

    def changes(self, number: int, count: int, seconds: float) -> list[Any]:
        """So many messages, or what there are when the stream ends or the time is over."""
        watch = self._watches[number]
        with watch.changed:
            watch.changed.wait_for(lambda: watch.outcome or len(watch.messages) >= count, seconds)
            return watch.messages[:]

    def end(self, number: int, seconds: float) -> dict[str, Any] | None:
        """What the stream ended with; None if it has not in this time."""
        watch = self._watches[number]
        with watch.changed:
            watch.changed.wait_for(lambda: watch.outcome, seconds)
            return watch.outcome

    def load(self, address: str, clients: int, calls: list[Any], **call: Any) -> None:
        """Begins to call, each client one call after the other, until one of its calls fails."""
        self._load = Load(self._service(address), clients, calls, call)

    def unload(self) -> list[dict[str, Any]]:
        """How each client ended: how many calls were answered, and what came then."""
        assert self._load
        return self._load.wait()

    def leave(self) -> None:
        """Closes all connections."""
        for service in self._services.values():
            service.channel.close()
        self.__init__()  # type: ignore[misc]  # forgets everything

    def _service(self, address: str) -> Service:
        if address not in self._services:
            self._services[address] = Service(address)
        return self._services[address]


def to_dict(message: Any) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def describe(call: Any) -> dict[str, Any]:
    """How a call ended; waits for that."""
    outcome: dict[str, Any] = {"code": call.code().name, "text": call.details()}
    if outcome["code"] == "OK":
        return outcome | {"answer": to_dict(call.result())}
    metadata = dict(call.trailing_metadata() or ())
    outcome["request_id"] = metadata.get("x-request-id")
    status = Status.FromString(metadata.get("grpc-status-details-bin", b""))
    for detail in status.details:
        bad, info, retry = BadRequest(), ErrorInfo(), RetryInfo()
        if detail.Unpack(bad):
            outcome["fields"] = {each.field: each.description for each in bad.field_violations}
        elif detail.Unpack(info):
            outcome["reason"] = f"{info.domain}/{info.reason}"
        elif detail.Unpack(retry):
            outcome["retry"] = retry.retry_delay.ToTimedelta().total_seconds()
    return outcome


def main() -> None:
    driver = Driver()
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(driver, command.pop("do"))(**command)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
