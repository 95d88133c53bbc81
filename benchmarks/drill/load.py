"""The load: people sign in, get notifications, events and work done, and keep files."""

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx

from benchmarks.drill.feature import TOIL_STEPS
from benchmarks.drill.fleet import Fleet
from benchmarks.drill.ledger import Joined, Ledger, Stored

PACE = {"sign-in": 2.0, "notification": 6.0, "upload": 1.0, "event": 2.0, "work": 2.0}  # a second
LISTENERS = 20
ANSWER_SECONDS = 10.0
SPARE_SECONDS = 90.0  # the last fault may take longer than was planned
TRY_PAUSE = 0.3
FILE_BYTES = (1_000, 200_000)
WORK_STEPS = (2, 5)  # before the middle and after it: two to five seconds in all
TOIL_EVERY = 10  # piece of work, one takes longer than a stop waits
OUTAGES = {409, 429, 503}  # 409: a try whose process died still holds the idempotency key


@dataclass(frozen=True)
class Account:
    """Somebody whose streams are open, and who gets what is sent."""

    token: str
    id: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Load:
    """Sends until it is told to stop; what was begun then is still brought to its end."""

    def __init__(self, client: httpx.AsyncClient, ledger: Ledger, dice: random.Random) -> None:
        self._client = client
        self._ledger = ledger
        self._dice = dice
        self.accounts: list[Account] = []
        self._key: dict[str, str] = {}
        self._newcomers: list[str] = []

    async def prepare(self, fleet: Fleet, seconds: float) -> None:
        """Everybody signed in with a device, tokens for those who will, and a service's key."""
        emails = [f"user{number}@example.com" for number in range(LISTENERS)]
        for token in await fleet.run("token", *emails):
            headers = {"Authorization": f"Bearer {token}"}
            me = await self.persist("GET", "/auth/me", headers=headers)
            self.accounts.append(Account(token, me.json()["data"]["id"]))
            device = {"token": f"device-of-{token[-20:]}", "platform": "web"}
            await self.persist("POST", "/devices", headers=headers, json=device)
        count = round(PACE["sign-in"] * (seconds + SPARE_SECONDS))
        new = [f"newcomer{number}@example.com" for number in range(count)]
        self._newcomers = await fleet.run("token", *new)
        scopes = ("--scope", "notifications:send", "--scope", "events:publish")
        [key] = await fleet.run("apikey", "create", "drill", *scopes)
        self._key = {"X-API-Key": key}

    async def run(self, stop: asyncio.Event) -> None:
        operations: dict[str, Callable[[int], Awaitable[None]]] = {
            "sign-in": self._sign_in,
            "notification": self._notify,
            "upload": self._upload,
            "event": self._publish,
            "work": self._order,
        }
        async with asyncio.TaskGroup() as group:
            for name, operation in operations.items():
                group.create_task(self._repeat(operation, 1 / PACE[name], stop, group))

    async def _repeat(
        self,
        operation: Callable[[int], Awaitable[None]],
        pause: float,
        stop: asyncio.Event,
        group: asyncio.TaskGroup,
    ) -> None:
        """Whether or not what was begun before has ended: a user does not wait for another."""
        number = 0
        while not stop.is_set():
            group.create_task(operation(number))  # type: ignore[arg-type]  # each is a coroutine
            number += 1
            await asyncio.sleep(pause)

    async def _sign_in(self, number: int) -> None:
        if number >= len(self._newcomers):
            return
        token, name = self._newcomers[number], f"Newcomer {number}"
        headers = {"Authorization": f"Bearer {token}"}
        me = await self.persist("GET", "/auth/me", operation="sign-in", headers=headers)
        await self.persist("PUT", "/auth/me", headers=headers, json={"name": name})
        self._ledger.people.append(Joined(token, me.json()["data"]["id"], name))

    async def _notify(self, number: int) -> None:
        """Until it is accepted, however often that takes: the key makes it one notification."""
        account = self.accounts[number % len(self.accounts)]
        answer = await self.persist(
            "POST",
            "/notifications",
            operation="notification",
            headers={**self._key, "Idempotency-Key": f"drill-{number}"},
            json={"user_id": account.id, "title": f"Number {number}", "body": "A drill."},
        )
        for each in answer.json()["data"]["ids"]:
            self._ledger.notifications[each] = time.time()

    async def _upload(self, number: int) -> None:
        """A try without an answer may leave a file that nobody counts on."""
        account = self.accounts[number % len(self.accounts)]
        content = self._dice.randbytes(self._dice.randint(*FILE_BYTES))
        answer = await self.persist(
            "POST",
            "/files",
            operation="upload",
            headers=account.headers,
            files={"file": (f"{number}.bin", content)},
        )
        stored = Stored(account.token, hashlib.sha256(content).hexdigest())
        self._ledger.files[answer.json()["data"]["id"]] = stored

    async def _publish(self, number: int) -> None:
        """Once: whether one without an answer was told nobody can know."""
        account = self.accounts[number % len(self.accounts)]
        body = {"user_id": account.id, "type": "drill.tick", "data": {"number": str(number)}}
        began = time.time()
        if await self._try("POST", "/events", headers=self._key, json=body):
            self._ledger.events[str(number)] = time.time()
            self._ledger.record_success("event", began)

    async def _order(self, number: int) -> None:
        """Work that takes seconds. Its id makes it one piece, however often it is asked for."""
        work = str(UUID(int=self._dice.getrandbits(128)))
        steps = self._dice.randint(*WORK_STEPS) if number % TOIL_EVERY else TOIL_STEPS
        body = {"id": work, "steps": steps}
        await self.persist("POST", "/drill/work", operation="work", headers=self._key, json=body)
        self._ledger.work.add(work)

    async def persist(
        self, method: str, path: str, *, operation: str = "", **request: object
    ) -> httpx.Response:
        """The answer, once it is a good one."""
        while True:
            began = time.time()
            if answer := await self._try(method, path, **request):
                if operation:
                    self._ledger.record_success(operation, began)
                return answer
            await asyncio.sleep(TRY_PAUSE)

    async def _try(self, method: str, path: str, **request: object) -> httpx.Response | None:
        """The answer if it is a good one. What no outage excuses is noted."""
        self._ledger.tries[f"{method} {path}"] += 1
        try:
            answer = await self._client.request(method, path, **request)  # type: ignore[arg-type]  # httpx's own
        except httpx.HTTPError:
            return None
        if answer.is_success:
            return answer
        if answer.status_code not in OUTAGES:
            self._ledger.unexpected[f"{method} {path}: {answer.status_code} {answer.text}"] += 1
        return None


@asynccontextmanager
async def client_of(fleet: Fleet) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=1000)
    async with httpx.AsyncClient(
        base_url=fleet.api, timeout=ANSWER_SECONDS, limits=limits, trust_env=False
    ) as client:
        yield client
