"""One piece of work for all who ask for it at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


class SingleFlight(Generic[Key, Result]):
    """Runs work once a key, however many ask while it runs; all get its result or its error.

    The work belongs to no caller: one that is cancelled leaves the others waiting for it.
    """

    def __init__(self) -> None:
        self._flights: dict[Key, asyncio.Task[Result]] = {}

    async def run(
        self,
        key: Key,
        work: Callable[[], Coroutine[Any, Any, Result]],
        *,
        keep: Callable[[Result], None] | None = None,
    ) -> Result:
        """The result of `work`, or of the run that is already under way.

        `keep` gets the result before anybody else, unless the key was forgotten meanwhile: what
        was begun before a change must not be remembered after it.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, work, keep))
            self._flights[key] = flight
            flight.add_done_callback(partial(self._land, key))
        return await asyncio.shield(flight)

    def forget(self, key: Key) -> None:
        """Who asks from now on starts anew; who already waits gets what was begun."""
        self._flights.pop(key, None)

    def clear(self) -> None:
        """Forgets every key."""
        self._flights.clear()

    async def _fly(
        self,
        key: Key,
        work: Callable[[], Coroutine[Any, Any, Result]],
        keep: Callable[[Result], None] | None,
    ) -> Result:
        result = await work()
        if keep is not None and self._flights.get(key) is asyncio.current_task():
            keep(result)
        return result

    def _land(self, key: Key, flight: asyncio.Task[Result]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # looked at here: all who waited may have been cancelled
