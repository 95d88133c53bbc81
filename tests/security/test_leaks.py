"""Nothing that opens a door is in a log, in Redis or in the database.

One run of the whole program at debug level in which every kind of credential is used, well and
badly, and then a search for each of them in everything that was written.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
import redis

from tests.grpc.reflected import running_driver
from tests.modules.user.test_avatar import PNG
from tests.support.program import Program, environment, run_program, running_program
from tests.support.valkey import Valkey

SECRET_KEY = "this-one-signs-everything-and-is-told-nobody"
PASSWORD = "a-password-of-a-server"
FORGED_KEY = "myapp_abcdefghijkl_Xq7" + "Zk3vNw8" * 6 + "0aB1"
PIECE = 16  # characters: a part of a secret as long as this one is too much


@dataclass
class Visit:
    """What a visitor of the program used, and how each attempt ended."""

    api: str
    secrets: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)

    def ask(self, name: str, method: str, path: str, **request: Any) -> Any:
        answer = httpx.request(method, urljoin(self.api, path), timeout=20, **request)
        self.statuses[name] = answer.status_code
        is_json = answer.headers.get("Content-Type") == "application/json"
        return answer.json().get("data") if is_json else answer

    def uses(self, **secrets: str) -> None:
        self.secrets |= secrets

    def sign(self, url: str) -> str:
        """Notes the signature in a URL, and gives one of the same shape that is wrong."""
        signature = parse_qs(urlsplit(url).query)["signature"][0]
        wrong = signature[::-1]
        self.uses(**{f"signature {len(self.secrets)}": signature, "wrong signature": wrong})
        return url.replace(signature, wrong)


def sign_in(visit: Visit, token: str) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {token}"}
    header, claims, signature = token.split(".")
    forged = f"{header}.{claims}.{signature[::-1][1:]}A"
    visit.uses(token=token, **{"token's signature": signature, "forged token": forged})
    bad = {"Authorization": f"Bearer {forged}"}
    visit.ask("sign in", "GET", "/auth/me", headers=headers)
    visit.ask("verify", "POST", "/auth/verify", json={"token": token})
    visit.ask("forged", "GET", "/auth/me", headers=bad)
    visit.ask("forged body", "POST", "/auth/verify", json={"token": forged})
    visit.ask("in the query", "GET", f"/auth/me?token={token}&access_token={token}")
    visit.ask("as a field", "PUT", "/auth/me", headers=headers, json={token: token})
    device = {"token": "a-device-of-adas-own", "platform": "ios"}
    visit.uses(device=device["token"])
    visit.ask("device", "POST", "/devices", headers=headers, json=device)
    return headers


def follow_events(visit: Visit, headers: dict[str, str]) -> None:
    ticket = visit.ask("ticket", "POST", "/events/ticket", headers=headers)["ticket"]
    visit.uses(ticket=ticket, **{"wrong ticket": ticket[::-1]})
    path = urljoin(visit.api, f"/events?ticket={ticket}")
    with httpx.stream("GET", path, timeout=20) as stream:
        visit.statuses["events"] = stream.status_code
        assert next(stream.iter_lines())
    visit.ask("used ticket", "GET", f"/events?ticket={ticket}")
    visit.ask("wrong ticket", "GET", f"/events?ticket={ticket[::-1]}")


def send_files(visit: Visit, headers: dict[str, str]) -> None:
    new = {"filename": "dot.png", "content_type": "image/png", "size": len(PNG)}
    begun = visit.ask("upload", "POST", "/files/uploads", headers=headers, json=new)
    upload, file_id = begun["upload"], begun["file"]["id"]
    wrong, send = visit.sign(upload["url"]), {"headers": upload["headers"], "content": PNG}
    visit.ask("wrong upload", "PUT", wrong, **send)
    visit.ask("signed upload", "PUT", upload["url"], **send)
    done = visit.ask("complete", "POST", f"/files/{file_id}/complete", headers=headers)
    wrong = visit.sign(done["url"])
    visit.ask("download", "GET", done["url"])
    visit.ask("wrong download", "GET", wrong)


def serve_others(visit: Visit, key: str, headers: dict[str, str]) -> None:
    """What services do, over HTTP."""
    user_id = visit.ask("me", "GET", "/auth/me", headers=headers)["id"]
    note = {"user_id": user_id, "title": "Hello", "body": "It works"}
    # What stands before the secret is the key's public name.
    visit.uses(key=key.rpartition("_")[2], **{"forged key": FORGED_KEY.rpartition("_")[2]})
    good, bad = {"X-API-Key": key}, {"X-API-Key": FORGED_KEY}
    visit.ask("notify", "POST", "/notifications", headers=good, json=note)
    visit.ask("forged key", "POST", "/notifications", headers=bad, json=note)
    visit.ask("mistyped key", "POST", "/notifications", headers={"X-API-Key": key[:-1]}, json=note)
    visit.ask("both", "POST", "/notifications", headers=good | headers, json=note)
    visit.ask("bad body", "POST", "/notifications", headers=good, json={"title": key})


def call(visit: Visit, address: str, key: str, token: str) -> None:
    """The same over gRPC."""
    requests = {"VerifyToken": {"token": token}, "ListAccounts": {"page_token": token}}
    with running_driver() as driver:
        for text in (key, FORGED_KEY):
            for method, request in requests.items():
                number = driver.do(
                    "begin", times=1, method=method, request=request, address=address,
                    metadata=[("x-api-key", text)], timeout=20,
                )  # fmt: skip
                [end] = driver.do("finish", number=number)
                visit.statuses[f"{method} {text is key}"] = 200 if end["code"] == "OK" else 400


def places(program: Program, folder: Path, server: Valkey) -> Iterator[tuple[str, str]]:
    """Everything that was written, by what it is."""
    yield "the log", program.log_file.read_text()
    with redis.Redis.from_url(server.url) as client:
        dump = [(key, client.dump(key)) for key in client.scan_iter()]
    yield "Redis", repr(dump)
    database = b"".join(path.read_bytes() for path in sorted(folder.glob("*.db*")))
    yield "the database", database.decode("latin-1")


@pytest.fixture
def env(own_valkey: Valkey, tmp_path: Path) -> dict[str, str]:
    return environment(
        tmp_path / "data",
        REDIS_URL=own_valkey.url,
        SECRET_KEY=SECRET_KEY,
        LOG_LEVEL="debug",
        PUSH_PROVIDER="log",
    )


@pytest.fixture
def program(env: dict[str, str], tmp_path: Path) -> Iterator[Program]:
    with running_program(env=env, cwd=tmp_path) as started:
        yield started


def test_no_secret_is_in_a_log_in_redis_or_in_the_database(
    program: Program, env: dict[str, str], own_valkey: Valkey, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    visit = Visit(program.api, {"SECRET_KEY": SECRET_KEY})
    create = ("apikey", "create", "mailer", "--scope", "notifications:send")
    commands = (("token", "ada@example.com"), (*create, "--scope", "accounts:read"))
    made = [run_program(*command, env=env, cwd=tmp_path) for command in commands]
    token, key = (done.stdout.strip() for done in made)
    headers = sign_in(visit, token)
    follow_events(visit, headers)
    send_files(visit, headers)
    serve_others(visit, key, headers)
    call(visit, program.address("grpc"), key, token)
    program.wait_for("push")
    visit.uses(**{"identity key": (folder / "identity.key").read_text()})

    well = {name for name, status in visit.statuses.items() if status < 300}
    assert well == {
        "sign in", "verify", "device", "ticket", "events", "upload", "signed upload", "complete",
        "download", "me", "notify", "VerifyToken True",
    }  # fmt: skip
    assert len(visit.statuses) == len(well) + 15
    assert {line["level"] for line in program.lines()} >= {"debug", "info"}
    written = dict(places(program, folder, own_valkey))
    assert program.stop() == 0
    written["the log"] = program.log_file.read_text() + "".join(done.stderr for done in made)
    assert all(len(text) > 1000 for text in written.values())
    found = [
        (name, place)
        for name, secret in visit.secrets.items()
        for place, text in written.items()
        if secret[:PIECE] in text or secret[-PIECE:] in text
    ]
    # What a push is sent to has to be kept.
    assert [each for each in found if each != ("device", "the database")] == []


@pytest.mark.parametrize(
    "variables",
    [
        {"REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:1/0"},
        {"DATABASE_URL": f"postgres://myapp:{PASSWORD}@127.0.0.1:1/myapp"},
        {"DATABASE_URL": f"oracle://myapp:{PASSWORD}@127.0.0.1/myapp"},
        {"SECRET_KEY": PASSWORD},
        {"FIREBASE_CREDENTIALS": json.dumps({"private_key": PASSWORD})},
    ],
    ids=["Redis", "database", "unknown database", "SECRET_KEY", "Firebase"],
)
def test_no_password_is_in_what_a_failing_command_says(
    variables: dict[str, str], tmp_path: Path
) -> None:
    done = run_program(
        "admin", "list", env=environment(tmp_path, LOG_LEVEL="debug", **variables), cwd=tmp_path
    )
    assert PASSWORD not in done.stdout + done.stderr
