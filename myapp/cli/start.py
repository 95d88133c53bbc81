"""How a command begins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from myapp.config import Settings, load_settings
from myapp.logger import configure_logging

if TYPE_CHECKING:
    from myapp.registry import Features

Result = TypeVar("Result")


def load(flags: dict[str, Any]) -> Settings:
    """The settings, with a log that speaks up only when something is wrong.

    What a command is asked for goes to standard output, and that alone.
    """
    settings = load_settings(**flags)
    configure_logging("warning" if settings.log_level == "info" else settings.log_level, "console")
    return settings


def use(flags: dict[str, Any], work: "Callable[[Features], Awaitable[Result]]") -> Result:
    """Opens what the program holds open, also beside a server that runs, for one piece of work."""
    from myapp.registry import build
    from myapp.resources import open_resources

    settings = load(flags)

    async def run() -> Result:
        async with open_resources(settings) as resources:
            return await work(build(resources))

    return asyncio.run(run())
