"""The layers around every call, seen by a grpcio client."""

import time

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from tests.grpc.probe import FAILURES, SERVICE, Client, Logs, Note, Running, refused, wait_for

GIVEN_ID = "caller-1.A_b"


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
        metadata = dict(caught[0].trailing_metadata())
        status = Status.FromString(metadata["grpc-status-details-bin"])
        assert status.details[0].Unpack(detail)
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


class TestDeadline:
    def test_it_cancels_the_handler(self, server: Running, client: Client) -> None:
        started = time.monotonic()
        with refused(code=grpc.StatusCode.DEADLINE_EXCEEDED):
            client.echo(Note(text="slow", seconds=9), timeout=0.2)
        assert time.monotonic() - started < 2
        wait_for(lambda: server.probe.ended)
        assert server.probe.ended == ["slow cancelled"]

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
