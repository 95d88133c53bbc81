"""Much to call at once, without the rest of the process having to wait for it."""

import asyncio
from collections import deque
from collections.abc import Callable

CALLS_A_TURN = 256  # some ten milliseconds of streams that send


class Turns:
    """Calls back in order, a few in each turn of the event loop."""

    def __init__(self) -> None:
        self._queue: deque[Callable[[], object]] = deque()
        self._begun = False

    def add(self, callback: Callable[[], object]) -> None:
        """Calls back soon, after all that was added before and what they have woken."""
        self._queue.append(callback)
        if not self._begun:
            self._begun = True
            asyncio.get_running_loop().call_soon(self._take)

    def _take(self) -> None:
        for _ in range(min(CALLS_A_TURN, len(self._queue))):
            self._queue.popleft()()
        if self._queue:
            asyncio.get_running_loop().call_soon(self._take)
        else:
            self._begun = False
