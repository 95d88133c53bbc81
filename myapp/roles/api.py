"""The `api` role: HTTP."""

import asyncio
import socket
import sys
from collections.abc import Sequence
from functools import partial
from typing import cast

from uvicorn._types import ASGI3Application
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from myapp.app import create_app
from myapp.config import Network
from myapp.middleware.forwarding import ForwardingWitness
from myapp.roles.base import RoleContext
from myapp.server import serve

# A phone that is gone says no goodbye, and its stream counts until we notice. With a heartbeat
# every 15 s this is within 45.
UNACKNOWLEDGED_MS = 30_000


async def serve_api(context: RoleContext) -> None:
    """Serves HTTP until the stop, and then finishes the requests under way.

    Streams end when the listener has closed: who comes back meets another process.
    """
    settings = context.settings
    drop_dead_clients(context.sockets)
    app = create_app(settings, context.features, context.health)
    witness = ForwardingWitness(
        believe_proxies(cast("ASGI3Application", app), settings.trusted_proxies),
        trusted=settings.trusted_proxies,
        redis=context.resources.redis,
        metrics=context.resources.metrics,
    )
    async with witness:
        await serve(
            witness,
            context.sockets,
            stop=context.stop,
            drain_seconds=settings.drain_seconds,
            deadline=context.deadline - settings.drain_seconds,
            listening=context.ready,
            on_drain=partial(drain_streams, context),
        )


def drain_streams(context: RoleContext) -> None:
    """Called when the drain begins."""
    loop = asyncio.get_running_loop()
    loop.call_later(context.settings.drain_seconds, context.resources.hub.drain)


def drop_dead_clients(sockets: Sequence[socket.socket]) -> None:
    """Has Linux give up connections whose client acknowledges nothing; they inherit it."""
    if sys.platform == "linux":
        for listener in sockets:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)


def believe_proxies(app: ASGI3Application, proxies: Sequence[Network]) -> ASGI3Application:
    """Takes the client's address and scheme from X-Forwarded-*, if one of these sends it."""
    if not proxies:
        return app
    return ProxyHeadersMiddleware(app, trusted_hosts=[str(network) for network in proxies])
