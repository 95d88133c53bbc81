"""The layers around every call, seen by a grpcio client."""

import time
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from myapp.errors import Forbidden, Unauthenticated, Unavailable
from tests.grpc.probe import FAILURES, SERVICE, Client, Logs, Note, Running, refused, wait_for
from tests.grpc.wire import Wire

GIVEN_ID = "caller-1.A_b"


def details_of(error: Any) -> list[Any]:
    metadata = dict(error.trailing_metadata())
    return list(Status.FromString(metadata.get("grpc-status-details-bin", b"")).details)


def sample(server: Running, name: str, **labels: str) -> float:
    return server.registry.get_sample_value(name, labels) or 0


def has_begun(server: Running) -> bool:
    """Whether a handler has read its message."""
    return server.probe.begun.acquire(blocking=False)


class TestRequestId:
    def test_a_sane_id_of_the_caller_comes_back_with_the_first_metadata(
        self, client: Client
    ) -> None:
        _, call = client.echo.with_call(Note(), metadata=[("x-request-id", GIVEN_ID)])
        assert ("x-request-id", GIVEN_ID) in call.initial_metadata()

    @pytest.mark.parametrize("given", ["a b", "x" * 129, "a/b", ""])
    def test_any_other_is_replaced(self, client: Client, given: str) -> None:
        _, call = client.echo.with_call(Note(), metadata=[("x-request-id", given)])
        made = dict(call.initial_metadata())["x-request-id"]
        assert made != given
        assert len(made) == 32

    def test_an_error_carries_it_too(self, client: Client) -> None:
        with refused(code=grpc.StatusCode.NOT_FOUND) as caught:
            client.echo(Note(fail="not found"), metadata=[("x-request-id", GIVEN_ID)])
        assert ("x-request-id", GIVEN_ID) in caught[0].trailing_metadata()


class TestLog:
    def test_each_call_is_one_line(self, client: Client, logs: Logs) -> None:
        client.echo(Note())
        line = logs.wait_for("call")
        assert line["method"] == f"/{SERVICE}/Echo"
        assert line["status"] == "OK"
        assert line["address"] in ("127.0.0.1", "::1")
        assert line["log_level"] == "info"

    def test_a_probe_of_health_is_for_debugging_only(self, client: Client, logs: Logs) -> None:
        client.method("unary_unary", "/grpc.health.v1.Health/Check")(b"")
        assert logs.wait_for("call")["log_level"] == "debug"

    def test_an_unforeseen_error_is_logged_with_its_traceback(
        self, client: Client, logs: Logs
    ) -> None:
        with refused(code=grpc.StatusCode.INTERNAL):
            client.echo(Note(fail="unforeseen"))
        assert logs.wait_for("call failed")["exc_info"] is FAILURES["unforeseen"]

    def test_a_caller_who_hangs_up_is_logged_as_cancelled(
        self, server: Running, client: Client, logs: Logs
    ) -> None:
        call = client.echo.future(Note(text="left", seconds=9))
        server.probe.begun.acquire()
        call.cancel()
        assert logs.wait_for("call")["status"] == "CANCELLED"
        assert server.probe.ended == ["left cancelled"]
        assert logs.troubles() == []


class TestErrors:
    @pytest.mark.parametrize(
        ("kind", "code", "message"),
        [
            ("invalid", "INVALID_ARGUMENT", "Look again"),
            ("unauthenticated", "UNAUTHENTICATED", "Valid credentials are required"),
            ("forbidden", "PERMISSION_DENIED", "You may not do this"),
            ("not found", "NOT_FOUND", "No such probe"),
            ("conflict", "FAILED_PRECONDITION", "This conflicts with the present state"),
            ("too large", "RESOURCE_EXHAUSTED", "The request is too large"),
            ("unsupported media", "INVALID_ARGUMENT", "This type of content is not supported"),
            ("rate limited", "RESOURCE_EXHAUSTED", "Too many requests"),
            ("unavailable", "UNAVAILABLE", "The service is unavailable for the moment"),
            ("app error", "INTERNAL", "Internal error"),
        ],
    )
    def test_each_kind_has_its_status(
        self, client: Client, kind: str, code: str, message: str
    ) -> None:
        with refused(code=grpc.StatusCode[code]) as caught:
            client.echo(Note(fail=kind))
        assert caught[0].details() == message

    def test_errors_by_field_are_rich_details(self, client: Client) -> None:
        with refused(code=grpc.StatusCode.INVALID_ARGUMENT) as caught:
            client.echo(Note(fail="invalid"))
        detail = BadRequest()
        assert details_of(caught[0])[0].Unpack(detail)
        assert detail.field_violations[0].field == "name"
        assert detail.field_violations[0].description == "Too long"

    @pytest.mark.parametrize("failure", ["unforeseen", "own timeout"])
    def test_an_unforeseen_error_tells_nothing(self, client: Client, failure: str) -> None:
        with refused(code=grpc.StatusCode.INTERNAL) as caught:
            client.echo(Note(fail=failure))
        assert caught[0].details() == "Internal error"
        assert "secret" not in caught[0].debug_error_string()

    def test_a_handler_that_forgets_to_answer_is_an_internal_error(self, client: Client) -> None:
        with refused(code=grpc.StatusCode.INTERNAL) as caught:
            client.mute(Note())
        assert caught[0].details() == "Internal error"

    def test_an_unknown_method_is_unimplemented(self, client: Client) -> None:
        with refused(code=grpc.StatusCode.UNIMPLEMENTED):
            client.method("unary_unary", f"/{SERVICE}/Nonsense")(Note())


class TestReasons:
    """What `google.rpc` has words for."""

    def test_each_error_has_its_reason_and_when_to_come_back(self, client: Client) -> None:
        with refused(code=grpc.StatusCode.UNAVAILABLE) as caught:
            client.echo(Note(fail="unavailable"))
        info, retry = ErrorInfo(), RetryInfo()
        details = details_of(caught[0])
        assert details[0].Unpack(info)
        assert (info.domain, info.reason) == ("myapp", "UNAVAILABLE")
        assert details[1].Unpack(retry)
        assert retry.retry_delay.ToTimedelta().total_seconds() == 1.5

    def test_an_unforeseen_error_has_none(self, client: Client) -> None:
        with refused(code=grpc.StatusCode.INTERNAL) as caught:
            client.echo(Note(fail="unforeseen"))
        assert details_of(caught[0]) == []


class TestGate:
    def test_who_is_not_let_in_reaches_no_handler(self, server: Running, client: Client) -> None:
        server.gate.error = Forbidden("Not you")
        with refused(code=grpc.StatusCode.PERMISSION_DENIED) as caught:
            client.echo(Note(text="a"))
        assert caught[0].details() == "Not you"
        assert server.probe.ended == []

    def test_a_failure_to_find_out_tells_nothing(self, server: Running, client: Client) -> None:
        server.gate.error = RuntimeError("secret of the house")
        with refused(code=grpc.StatusCode.INTERNAL) as caught:
            client.echo(Note())
        assert caught[0].details() == "Internal error"

    def test_a_method_that_is_not_there_asks_for_nothing(
        self, server: Running, client: Client
    ) -> None:
        with refused(code=grpc.StatusCode.UNIMPLEMENTED):
            client.method("unary_unary", f"/{SERVICE}/Nonsense")(Note())
        assert server.gate.asked == []

    def test_a_stop_ends_a_stream_whose_caller_is_still_looked_up(
        self, server: Running, client: Client
    ) -> None:
        server.gate.hung = True
        numbers = client.count(Note())
        wait_for(lambda: server.gate.asked)
        server.ask_to_stop()
        with refused(code=grpc.StatusCode.UNAVAILABLE) as caught:
            next(numbers)
        assert caught[0].details() == "The server is stopping"
        assert not has_begun(server)

    def test_a_stream_ends_when_its_caller_may_no_more(
        self, server: Running, client: Client
    ) -> None:
        server.gate.named = "somebody"
        numbers = client.count(Note(seconds=0.01))
        next(numbers)
        server.gate.error = Unauthenticated("Revoked")
        started = time.monotonic()
        with refused(code=grpc.StatusCode.UNAUTHENTICATED):
            list(numbers)
        assert time.monotonic() - started < 10

    def test_a_stream_lasts_while_nobody_can_say(self, server: Running, client: Client) -> None:
        server.gate.named = "somebody"
        numbers = client.count(Note(seconds=0.01))
        next(numbers)
        server.gate.error = Unavailable()
        wait_for(lambda: len(server.gate.asked) > 1)
        server.gate.error = None
        assert next(numbers)
        numbers.cancel()


class TestMetrics:
    def test_calls_are_counted_and_timed(self, server: Running, client: Client) -> None:
        path = f"/{SERVICE}/Echo"
        client.echo(Note(seconds=0.05))
        with refused(code=grpc.StatusCode.NOT_FOUND):
            client.echo(Note(fail="not found"))
        wait_for(lambda: sample(server, "grpc_calls_total", method=path, code="NOT_FOUND"))
        assert sample(server, "grpc_calls_total", method=path, code="OK") == 1
        assert sample(server, "grpc_call_duration_seconds_count", method=path) == 2
        assert sample(server, "grpc_call_duration_seconds_sum", method=path) > 0.05

    def test_a_path_that_a_caller_made_up_is_no_label(
        self, server: Running, client: Client
    ) -> None:
        with refused(code=grpc.StatusCode.UNIMPLEMENTED):
            client.method("unary_unary", "/made/up")(Note())
        labels = {"method": "unmatched", "code": "UNIMPLEMENTED"}
        wait_for(lambda: sample(server, "grpc_calls_total", **labels))

    def test_calls_under_way_are_known(self, server: Running, client: Client) -> None:
        call = client.echo.future(Note(seconds=9))
        server.probe.begun.acquire()
        assert sample(server, "grpc_calls_in_flight") == 1
        call.cancel()
        wait_for(lambda: sample(server, "grpc_calls_in_flight") == 0)


class TestDeadline:
    def test_it_cancels_the_handler(self, server: Running, client: Client) -> None:
        started = time.monotonic()
        with refused(code=grpc.StatusCode.DEADLINE_EXCEEDED):
            client.echo(Note(text="slow", seconds=9), timeout=2)  # it has begun by then
        assert time.monotonic() - started < 8
        wait_for(lambda: server.probe.ended)
        assert server.probe.ended == ["slow cancelled"]

    def test_it_ends_a_call_whose_caller_is_still_looked_up(
        self, server: Running, wire: Wire, logs: Logs
    ) -> None:
        """Seen without a client that counts the time, too."""
        server.gate.hung = True
        assert wire.call(headers={"grpc-timeout": "100m"})["grpc-status"] == "4"
        assert logs.wait_for("call")["status"] == "DEADLINE_EXCEEDED"
        assert len(server.gate.asked) == 1
        assert not has_begun(server)

    def test_no_handler_begins_after_it(self, server: Running, wire: Wire) -> None:
        assert wire.call(headers={"grpc-timeout": "0n"})["grpc-status"] == "4"
        assert not has_begun(server)

    def test_a_quick_answer_is_in_time(self, client: Client) -> None:
        assert client.echo(Note(text="quick"), timeout=5).text == "quick"


class TestManyCalls:
    def test_two_hundred_at_once_are_all_answered(self, server: Running) -> None:
        client = Client(server.port)
        calls = [client.echo.future(Note(text=str(n), seconds=0.1)) for n in range(200)]
        assert [call.result(timeout=10).text for call in calls] == [str(n) for n in range(200)]
        client.channel.close()

    def test_streams_work_in_both_directions(self, client: Client) -> None:
        collected = client.collect(iter([Note(text="a"), Note(text="b")]))
        assert collected.text == "a,b"
        numbers = client.count(Note())
        assert [next(numbers).text for _ in range(3)] == ["0", "1", "2"]
        numbers.cancel()
