"""The running program, as somebody meets it who has its address, its commands and its folder."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt

from myapp.secrets import read_or_make
from tests.support.event_stream import Frame, Parser
from tests.support.program import Program, run_program

SECONDS = 30.0  # for whatever is waited for; a busy machine is slow
HOUR = 3600.0

Headers = dict[str, str]


@dataclass(frozen=True)
class Person:
    """Somebody who has signed in."""

    id: str
    email: str
    token: str

    @property
    def headers(self) -> Headers:
        return {"Authorization": f"Bearer {self.token}"}


class Listening:
    """An open event stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.parser = Parser()
        self._pieces = response.iter_raw()

    def until(self, done: Callable[[Parser], object]) -> Parser:
        """Reads on until `done`, or to the end of the stream."""
        while not done(self.parser):
            piece = next(self._pieces, None)
            if piece is None:
                break
            self.parser.feed(piece)
        return self.parser

    def begin(self) -> Frame:
        """The first block."""
        return self.until(lambda parser: parser.frames).frames[0]

    def next_events(self, count: int) -> list[Frame]:
        """The first so many events of the stream."""
        return self.until(lambda parser: len(parser.events) >= count).events[:count]


class Outside:
    """The program at work, and everything that it takes to use it."""

    def __init__(self, program: Program, env: dict[str, str], folder: Path) -> None:
        self.program = program
        self.env = env
        self.folder = folder
        self.api = httpx.Client(base_url=program.api, timeout=SECONDS)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command on the same folder; a variable that is empty counts as unset."""
        return run_program(*arguments, env={**self.env, **variables}, cwd=self.folder)

    def sign(
        self, email: str | None, *, uid: str = "", expires_in: float = HOUR, **claims: Any
    ) -> str:
        """A token as the local identity provider would sign it."""
        now = time.time()
        known: dict[str, Any] = {"iss": "myapp-local", "aud": "myapp", "iat": now}
        known |= {"sub": uid or uuid4().hex, "exp": now + expires_in}
        if email is not None:
            known |= {"email": email, "email_verified": True}
        secret = read_or_make(self.folder / "data" / "identity.key")
        return jwt.encode(known | claims, secret, "HS256")

    def person(self, email: str = "", **claims: Any) -> Person:
        """Somebody new, who has signed in."""
        address = email or new_email()
        token = self.sign(address, **claims)
        found = self.api.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).json()
        return Person(found["data"]["id"], address, token)

    @cached_property
    def root(self) -> Person:
        """The first administrator."""
        email = "root@example.com"
        granted = self.run("admin", "grant", email)
        assert granted.returncode == 0, granted.stderr
        return self.person(email)

    def key(self, *scopes: str, **options: Any) -> Headers:
        """Headers of a service whose key has these scopes."""
        return {"X-API-Key": self.new_key(*scopes, **options)["key"]}

    def new_key(self, *scopes: str, **options: Any) -> Any:
        body = {"name": "service", "scopes": scopes, **options}
        answer = self.api.post("/admin/api-keys", headers=self.root.headers, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    @contextmanager
    def listening(
        self, path: str = "/events", headers: Headers | None = None
    ) -> Iterator[Listening]:
        """An event stream, on a connection of its own."""
        with (
            httpx.Client(base_url=self.api.base_url, timeout=SECONDS) as client,
            client.stream("GET", path, headers=headers or {}) as response,
        ):
            yield Listening(response)

    def audit(self, action: str, target: str) -> dict[str, Any]:
        """The newest record of this."""
        params = {"action": action, "target_id": target}
        answer = self.api.get("/admin/audit-log", headers=self.root.headers, params=params).json()
        found: dict[str, Any] = answer["data"][0]
        return found


def new_email() -> str:
    return f"{uuid4().hex}@example.com"


def wait_until(done: Callable[[], Any]) -> Any:
    """What `done` gives, as soon as it is something."""
    deadline = time.monotonic() + SECONDS
    while not (found := done()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that is an error in the envelope."""
    body = answer.json()
    assert set(body) == {"success", "error", "code", "details", "request_id"}, body
    assert body["success"] is False
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert all(set(detail) == {"field", "message"} for detail in body["details"])
    return answer.status_code, str(body["code"])


def data_of(answer: httpx.Response, status: int = 200) -> Any:
    """The data of an answer that is a success in the envelope."""
    assert answer.status_code == status, answer.text
    body = json.loads(answer.text)
    assert body.pop("success") is True
    assert set(body) <= {"data", "meta"}
    return body["data"]
