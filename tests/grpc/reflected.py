"""The test's end of a grpcio client that is built from reflection alone."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Metadata = Mapping[str, str]
CALL_SECONDS = 30.0


class Reflected:
    """The account service at one address, seen by a client in another process."""

    def __init__(self, driver: "DriverProcess", address: str, metadata: Metadata) -> None:
        self._driver = driver
        self._address = address
        self._metadata = metadata

    def with_metadata(self, metadata: Metadata) -> "Reflected":
        return Reflected(self._driver, self._address, metadata)

    async def call(self, method: str, **request: Any) -> Any:
        """How the call ended: `code`, `text`, and `answer`, or `fields`, `reason` and `retry`."""
        return (await self.finish(await self.begin(method, request)))[0]

    async def begin(
        self,
        method: str,
        request: Mapping[str, Any],
        *,
        times: int = 1,
        timeout: float = CALL_SECONDS,
    ) -> int:
        call = self._call(method, request, timeout)
        return int(await self._do("begin", times=times, **call))

    async def finish(self, number: int) -> list[Any]:
        return list(await self._do("finish", number=number))

    async def watch(self) -> "Watching":
        """Returns when no change is missed any more, or the call has ended."""
        return Watching(self, await self._do("watch", **self._call("WatchAccounts", {}, 60)))

    async def _do(self, command: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(self._driver.do, command, **arguments)

    def _call(self, method: str, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        return {
            "address": self._address,
            "method": method,
            "request": request,
            "metadata": list(self._metadata.items()),
            "timeout": timeout,
        }


class Watching:
    """One stream of changes."""

    def __init__(self, client: Reflected, number: int) -> None:
        self._client = client
        self._number = number

    async def changes(self, count: int, *, seconds: float = 10.0) -> list[Any]:
        """All so far, once there are so many; fewer when the stream ends or the time is over."""
        return list(
            await self._client._do("changes", number=self._number, count=count, seconds=seconds)
        )

    async def end(self, *, seconds: float = 10.0) -> Any:
        """How the stream ended, None if it did not."""
        return await self._client._do("end", number=self._number, seconds=seconds)


class DriverProcess:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def do(self, command: str, **arguments: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def running_driver() -> Iterator[DriverProcess]:
    command = [sys.executable, str(Path(__file__).with_name("driver.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield DriverProcess(process)
        finally:
            process.kill()
