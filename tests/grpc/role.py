"""The role `grpc`, in the event loop of a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from myapp.health import Health
from myapp.listener import bind
from myapp.registry import Features
from myapp.resources import Resources
from myapp.roles.base import RoleContext
from myapp.roles.grpc import serve_grpc


@dataclass
class Role:
    """`stop` begins its end; `ended` is when it has returned."""

    address: str
    stop: asyncio.Event
    ended: asyncio.Task[None]


@asynccontextmanager
async def running_role(resources: Resources, features: Features) -> AsyncIterator[Role]:
    sockets = bind("127.0.0.1", 0)
    stop = asyncio.Event()
    context = RoleContext(
        resources=resources,
        features=features,
        health=Health(resources.checks(), stop=stop),
        sockets=sockets,
        stop=stop,
        ready=asyncio.Event(),
        deadline=10,
    )
    port = sockets[0].getsockname()[1]

    async def serve() -> None:
        await serve_grpc(context)

    serving = asyncio.create_task(serve())
    await context.ready.wait()
    try:
        yield Role(f"127.0.0.1:{port}", stop, serving)
    finally:
        stop.set()
        await serving
