"""What every role is given, and what it has to do."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from myapp.config import Settings
from myapp.health import Health
from myapp.registry import Features
from myapp.resources import Resources


@dataclass(frozen=True, slots=True)
class RoleContext:
    """What a role works with.

    `sockets` are its own, bound before anything was opened. Once `stop` is set it has `deadline`
    seconds to drain. It sets `ready` when it does its work.
    """

    resources: Resources
    features: Features
    health: Health
    sockets: Sequence[socket.socket]
    stop: asyncio.Event
    ready: asyncio.Event
    deadline: float

    @property
    def settings(self) -> Settings:
        return self.resources.settings


# Runs a role until `stop` is set, and returns when it has drained.
ServeRole = Callable[[RoleContext], Awaitable[None]]
