"""The `grpc` role."""

import asyncio
import socket
import sys
from collections.abc import Sequence

from myapp.grpc.metrics import CallMetrics
from myapp.grpc.server import GrpcServer
from myapp.grpc.services import build_services
from myapp.roles.base import RoleContext

# A machine that is gone says no goodbye, and a watch has nothing to send for hours: Linux asks
# after so many seconds of silence, and gives up a client who has acknowledged nothing for so long.
PROBE_AFTER, PROBE_EVERY = 15, 5
UNACKNOWLEDGED_MS = 30_000


async def serve_grpc(context: RoleContext) -> None:
    """Serves gRPC until the stop, and then finishes the calls under way."""
    settings, resources = context.settings, context.resources
    services = build_services(resources, context.features)
    notice_dead_clients(context.sockets)
    server = GrpcServer(
        services.all,
        sockets=context.sockets,
        checks=context.health.ready,
        gate=services.gate,
        metrics=CallMetrics(resources.metrics),
        tls_cert=settings.grpc_tls_cert,
        tls_key=settings.grpc_tls_key,
    )
    async with asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(services.feed.run())
        await server.serve(
            context.stop,
            ready=context.ready.set,
            drain_seconds=settings.drain_seconds,
            deadline=context.deadline - settings.drain_seconds,
        )
        feeding.cancel()


def notice_dead_clients(sockets: Sequence[socket.socket]) -> None:
    """Has Linux look after the connections, which inherit it from their listener."""
    if sys.platform != "linux":
        return
    for listener in sockets:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
