"""`/health`, `/ready` and `/metrics` on HEALTH_PORT, for roles without HTTP, and without Quart."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from myapp.correlation import choose_request_id
from myapp.health import Health
from myapp.metrics import CONTENT_TYPE, render
from myapp.roles.base import RoleContext
from myapp.server import serve

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, str, bytes]  # status, content type, body

NOT_FOUND = {"success": False, "error": "Not found", "code": "not_found", "details": []}


class HealthApp:
    """An ASGI application of three routes."""

    def __init__(self, health: Health, metrics: CollectorRegistry) -> None:
        self._health = health
        self._metrics = metrics

    async def __call__(self, scope: Message, _receive: Receive, send: Send) -> None:
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = choose_request_id(given.decode("latin-1"))
        status, content_type, body = await self._answer(scope["path"], request_id)
        headers = [
            (b"content-type", content_type.encode()),
            (b"cache-control", b"no-store"),
            (b"x-request-id", request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, path: str, request_id: str) -> Answer:
        if path == "/health":
            return answer_json(200, {"status": "ok"})
        if path == "/ready":
            readiness = await self._health.readiness()
            return answer_json(200 if readiness.ready else 503, readiness.as_dict())
        if path == "/metrics":
            return 200, CONTENT_TYPE, render(self._metrics)
        return answer_json(404, NOT_FOUND | {"request_id": request_id})


def answer_json(status: int, body: Mapping[str, object]) -> Answer:
    return status, "application/json", json.dumps(body).encode()


async def serve_health(context: RoleContext) -> None:
    """Answers until the stop. The runner stops it last, so that a drain can be watched."""
    await serve(
        HealthApp(context.health, context.resources.metrics),
        context.sockets,
        stop=context.stop,
        drain_seconds=0,
        deadline=1,
        listening=context.ready,
    )
