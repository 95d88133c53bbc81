"""grpc.health.v1, as a prober sees it."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from myapp.grpc.health import ServingStatus
from tests.grpc.conftest import Serve
from tests.grpc.probe import SERVICE, Client, Running, refused, wait_for

Status = HealthCheckResponse
CHECK = ("unary_unary", "/grpc.health.v1.Health/Check", HealthCheckResponse)
WATCH = ("unary_stream", "/grpc.health.v1.Health/Watch", HealthCheckResponse)


def ask(client: Client, service: str = "") -> Any:
    return client.method(*CHECK)(HealthCheckRequest(service=service)).status


def watch(client: Client, service: str = "") -> Iterator[Any]:
    answers = client.method(*WATCH)(HealthCheckRequest(service=service))
    return (answer.status for answer in answers)


class TestCheck:
    @pytest.mark.parametrize("service", ["", SERVICE])
    def test_it_follows_the_checks(self, server: Running, client: Client, service: str) -> None:
        assert ask(client, service) == Status.SERVING
        server.healthy = False
        wait_for(lambda: ask(client, service) == Status.NOT_SERVING)
        server.healthy = True
        wait_for(lambda: ask(client, service) == Status.SERVING)

    def test_an_unknown_service_is_not_found(self, client: Client) -> None:
        with refused(code=grpc.StatusCode.NOT_FOUND):
            ask(client, "nobody.v1.Nothing")

    def test_many_probes_cost_no_more_checks_than_one(
        self, server: Running, client: Client
    ) -> None:
        started, before = time.monotonic(), server.checked
        for _ in range(100):
            ask(client)
        checks = server.checked - before
        polls = (time.monotonic() - started) / 0.1
        assert checks <= polls + 1

    def test_a_check_that_raises_means_not_serving(self, server: Running, client: Client) -> None:
        server.failing = True
        wait_for(lambda: ask(client) == Status.NOT_SERVING)
        server.failing = False
        wait_for(lambda: ask(client) == Status.SERVING)

    async def test_a_check_that_hangs_means_not_serving(self) -> None:
        async def hang() -> bool:
            await asyncio.sleep(60)
            return True

        status = ServingStatus(hang, poll_seconds=1, check_seconds=0.02)
        await status.refresh()
        assert status.serving is False


class TestWatch:
    @pytest.mark.parametrize("service", ["", SERVICE])
    def test_it_tells_each_change(self, server: Running, client: Client, service: str) -> None:
        statuses = watch(client, service)
        assert next(statuses) == Status.SERVING
        server.healthy = False
        assert next(statuses) == Status.NOT_SERVING
        server.healthy = True
        assert next(statuses) == Status.SERVING

    def test_an_unknown_service_is_said_to_be_unknown(self, client: Client) -> None:
        assert next(watch(client, "nobody.v1.Nothing")) == Status.SERVICE_UNKNOWN

    def test_a_stop_is_told_first_and_ends_it(self, serve: Serve) -> None:
        server = serve(drain_seconds=1.0)
        client = Client(server.port)
        statuses = watch(client)
        assert next(statuses) == Status.SERVING
        server.ask_to_stop()
        assert next(statuses) == Status.NOT_SERVING
        with refused(code=grpc.StatusCode.UNAVAILABLE) as caught:
            next(statuses)
        assert caught[0].details() == "The server is stopping"
        client.channel.close()
