"""The mixed load of the soak, at a steady pace, and how many rows of it are there to stay."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import httpx

from benchmarks.drill.fleet import Fleet
from myapp.identity.local import LocalProvider

PEOPLE = 20
FILE_BYTES = 50_000
LISTEN_SECONDS = 3.0
TOKEN_SECONDS = 30.0  # soon over, so that what is remembered of tokens has an end
PACE = {  # a second
    "sign in": 4.0,
    "change a name": 1.0,
    "notify": 5.0,
    "read the inbox": 2.0,
    "publish": 3.0,
    "listen": 2.0,
    "keep a file for a moment": 1.0,
    "administer": 1.0,
    "clean up": 0.1,
}

Headers = dict[str, str]


class Mix:
    """People and services at work. `rows` are those that were made to stay."""

    def __init__(self, client: httpx.AsyncClient, provider: LocalProvider) -> None:
        self._client = client
        self._provider = provider
        self._ids: list[str] = []
        self._key: Headers = {}
        self.rows = 0
        self.done = Counter[str]()
        self.failed = Counter[str]()

    async def prepare(self, fleet: Fleet) -> None:
        """Everybody has signed in with a device; there is a service and an administrator."""
        for number in range(PEOPLE):
            me = await self._ask("GET", "/auth/me", self._user(number))
            self._ids.append(me.json()["data"]["id"])
            device = {"token": f"device-{number}", "platform": "web"}
            await self._ask("POST", "/devices", self._user(number), json=device)
        scopes = ("--scope", "notifications:send", "--scope", "events:publish")
        [key] = await fleet.run("apikey", "create", "soak", *scopes)
        self._key = {"X-API-Key": key}
        await fleet.run("admin", "grant", email_of(0))

    async def run(self, stop: asyncio.Event) -> None:
        operations: Sequence[Callable[[int], Awaitable[None]]] = (
            self._sign_in,
            self._change_name,
            self._notify,
            self._read_inbox,
            self._publish,
            self._listen,
            self._keep_file,
            self._administer,
            self._clean_up,
        )
        async with asyncio.TaskGroup() as group:
            for (name, pace), operation in zip(PACE.items(), operations, strict=True):
                group.create_task(self._repeat(name, operation, 1 / pace, stop, group))

    async def _repeat(
        self,
        name: str,
        operation: Callable[[int], Awaitable[None]],
        pause: float,
        stop: asyncio.Event,
        group: asyncio.TaskGroup,
    ) -> None:
        number = 0
        while not stop.is_set():
            group.create_task(self._once(name, operation, number))
            number += 1
            await asyncio.sleep(pause)

    async def _once(
        self, name: str, operation: Callable[[int], Awaitable[None]], number: int
    ) -> None:
        try:
            await operation(number)
        except httpx.HTTPError as error:
            self.failed[f"{name}: {error!r}"] += 1
        else:
            self.done[name] += 1

    async def _sign_in(self, number: int) -> None:
        await self._ask("POST", "/auth/verify", {}, json={"token": self._token(number)})

    async def _change_name(self, number: int) -> None:
        await self._ask("PUT", "/auth/me", self._user(number), json={"name": f"Person {number}"})

    async def _notify(self, number: int) -> None:
        """It stays as the notification, its idempotency key and the record of one push."""
        body = {"user_id": self._ids[number % PEOPLE], "title": f"Number {number}", "body": "Soak."}
        headers = self._key | {"Idempotency-Key": f"soak-{number}"}
        await self._ask("POST", "/notifications", headers, json=body)
        self.rows += 3

    async def _read_inbox(self, number: int) -> None:
        await self._ask("GET", "/notifications?unread=true", self._user(number))
        await self._ask("POST", "/notifications/read-all", self._user(number))

    async def _publish(self, number: int) -> None:
        """One in five to everybody."""
        body: dict[str, object] = {"type": "soak.tick", "data": {"number": number}}
        if number % 5:
            body["user_id"] = self._ids[number % PEOPLE]
        await self._ask("POST", "/events", self._key, json=body)

    async def _listen(self, number: int) -> None:
        """A stream for some seconds, by a token or by a ticket."""
        headers, path = self._user(number), "/events"
        if number % 2:
            answer = await self._ask("POST", "/events/ticket", headers)
            headers, path = {}, f"/events?ticket={answer.json()['data']['ticket']}"
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(LISTEN_SECONDS),
                self._client.stream("GET", path, headers=headers) as stream,
            ):
                stream.raise_for_status()
                async for _ in stream.aiter_bytes():
                    pass

    async def _keep_file(self, number: int) -> None:
        headers = self._user(number)
        files = {"file": ("soak.bin", secrets.token_bytes(FILE_BYTES))}
        made = await self._ask("POST", "/files", headers, files=files)
        path = f"/files/{made.json()['data']['id']}"
        content = await self._client.get(f"{path}/content", headers=headers, follow_redirects=True)
        content.raise_for_status()
        await self._ask("DELETE", path, headers)

    async def _administer(self, number: int) -> None:
        paths = ("users?q=user1", "jobs", "queues", "audit-log", "stats", "workers", "crons")
        await self._ask("GET", f"/admin/{paths[number % len(paths)]}", self._user(0))

    async def _clean_up(self, _number: int) -> None:
        """It stays in the audit log."""
        await self._ask("POST", "/admin/crons/cleanup-expired/run", self._user(0))
        self.rows += 1

    async def _ask(
        self, method: str, path: str, headers: Headers, **request: object
    ) -> httpx.Response:
        answer = await self._client.request(method, path, headers=headers, **request)  # type: ignore[arg-type]  # httpx's own
        return answer.raise_for_status()

    def _user(self, number: int) -> Headers:
        return {"Authorization": f"Bearer {self._token(number)}"}

    def _token(self, number: int) -> str:
        return self._provider.issue(email_of(number % PEOPLE), expires_in=TOKEN_SECONDS)


def email_of(number: int) -> str:
    return f"user{number}@example.com"
