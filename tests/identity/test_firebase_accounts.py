"""Revocation, the emulator and the settings; Firebase's account lookup played over loopback."""

import base64
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from myapp.config import ConfigError
from myapp.errors import Unauthenticated, Unavailable
from myapp.identity.base import SignIn
from myapp.identity.firebase import FirebaseProvider

PROJECT = "demo-project"


class Lookup:
    """Firebase's account lookup, with the answer that it is told to give."""

    def __init__(self) -> None:
        self.answer: tuple[int, object] = (200, {"users": [{"localId": "ada"}]})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status, body = outer.answer
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.host = f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts back what a provider changes in it."""
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "")


@pytest.fixture
def lookup() -> Iterator[Lookup]:
    lookup = Lookup()
    yield lookup
    lookup.close()


def unsigned(**changes: object) -> str:
    """A token as the emulator issues them."""
    now = int(time.time())
    claims = {
        "iss": f"https://securetoken.google.com/{PROJECT}",
        "aud": PROJECT,
        "sub": "ada",
        "iat": now,
        "exp": now + 3600,
    } | changes
    return encode({"alg": "none"}) + "." + encode(claims) + "."


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def credentials(private_key: str) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key": private_key,
            "client_email": "x@demo-project.iam.gserviceaccount.com",
            "token_uri": "https://127.0.0.1:9/token",
        }
    )


class TestRevocation:
    """The lookup's address can be changed for the emulator only, whose tokens are unsigned."""

    @pytest.fixture
    async def provider(self, lookup: Lookup, credentials: str) -> AsyncIterator[FirebaseProvider]:
        provider = FirebaseProvider(
            project_id=None, credentials=credentials, emulator_host=lookup.host
        )
        yield provider
        await provider.close()

    @pytest.fixture
    def token(self) -> str:
        return unsigned()

    async def test_an_account_in_order_passes(self, provider: FirebaseProvider, token: str) -> None:
        assert (await provider.verify(token)).uid == "ada"

    @pytest.mark.parametrize(
        "answer",
        [
            {"users": [{"localId": "ada", "disabled": True}]},
            {"users": [{"localId": "ada", "validSince": str(int(time.time()) + 10**6)}]},
            {"users": []},
            {},
        ],
        ids=["disabled", "revoked", "deleted", "unknown"],
    )
    async def test_one_that_is_not_is_refused(
        self, provider: FirebaseProvider, lookup: Lookup, token: str, answer: object
    ) -> None:
        lookup.answer = (200, answer)
        with pytest.raises(Unauthenticated):
            await provider.verify(token)

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, "TOO_MANY_ATTEMPTS_TRY_LATER"),
            (400, "INVALID_SOMETHING"),
            (404, "CONFIGURATION_NOT_FOUND"),
            (401, "UNAUTHENTICATED"),
            (429, "RESOURCE_EXHAUSTED"),
            (502, "BAD_GATEWAY"),
        ],
    )
    async def test_what_firebase_says_of_itself_is_unavailable(
        self, provider: FirebaseProvider, lookup: Lookup, token: str, status: int, message: str
    ) -> None:
        lookup.answer = (status, {"error": {"message": message}})
        with pytest.raises(Unavailable):
            await provider.verify(token)

    @pytest.mark.parametrize("body", [b"<html>", b'{"users": 5}', b'{"users": [7]}'])
    async def test_an_answer_that_makes_no_sense_is_not_the_tokens_fault(
        self, provider: FirebaseProvider, lookup: Lookup, token: str, body: bytes
    ) -> None:
        lookup.answer = (200, body)
        with pytest.raises(Unavailable):
            await provider.verify(token)

    async def test_a_lookup_out_of_reach_is_unavailable(
        self, provider: FirebaseProvider, lookup: Lookup, token: str
    ) -> None:
        lookup.close()
        with pytest.raises(Unavailable):
            await provider.verify(token)

    async def test_without_permission_to_ask_tokens_are_good_and_it_is_said_once(
        self, provider: FirebaseProvider, lookup: Lookup, token: str
    ) -> None:
        lookup.answer = (403, {"error": {"message": "INSUFFICIENT_PERMISSION"}})
        with capture_logs() as logs:
            for _ in range(2):
                assert (await provider.verify(token)).uid == "ada"
        assert len(logs) == 1

    async def test_of_many_sign_ins_those_are_found_that_are_good_no_more(
        self, provider: FirebaseProvider, lookup: Lookup
    ) -> None:
        users: list[dict[str, object]] = [
            {"localId": "ada", "validSince": "1000"},
            {"localId": "bob", "disabled": True},
            {"localId": "eve"},
        ]
        lookup.answer = (200, {"users": users})
        good = {SignIn("ada", 1000), SignIn("ada", 2000.5), SignIn("eve", 1)}
        ended = {SignIn("ada", 999), SignIn("bob", 2000), SignIn("deleted", 2000)}
        assert await provider.find_ended(good | ended) == ended

    @pytest.mark.parametrize(
        "answer",
        [(502, {}), (200, b"<html>"), (200, {"users": [7]}), (400, {"error": {"message": "X"}})],
        ids=["broken", "no JSON", "nonsense", "refused"],
    )
    async def test_no_sign_in_is_found_while_firebase_gives_no_answer(
        self, provider: FirebaseProvider, lookup: Lookup, answer: tuple[int, object]
    ) -> None:
        lookup.answer = answer
        with pytest.raises(Unavailable):
            await provider.find_ended([SignIn("ada", 1)])

    async def test_no_sign_in_is_found_without_permission_to_ask(
        self, provider: FirebaseProvider, lookup: Lookup
    ) -> None:
        lookup.answer = (403, {"error": {"message": "INSUFFICIENT_PERMISSION"}})
        with capture_logs() as logs:
            assert await provider.find_ended([SignIn("ada", 1)]) == set()
        assert len(logs) == 1

    async def test_no_sign_in_is_asked_for_without_credentials(self) -> None:
        provider = FirebaseProvider(project_id=PROJECT, certificates_url="http://127.0.0.1:9/")
        assert await provider.find_ended([SignIn("ada", 1)]) == set()
        await provider.close()


class TestEmulator:
    """Without credentials, which it does not ask for."""

    @pytest.fixture
    async def provider(self, lookup: Lookup) -> AsyncIterator[FirebaseProvider]:
        provider = FirebaseProvider(project_id=PROJECT, emulator_host=lookup.host)
        yield provider
        await provider.close()

    async def test_its_unsigned_tokens_are_accepted(self, provider: FirebaseProvider) -> None:
        assert (await provider.verify(unsigned())).uid == "ada"

    async def test_but_not_those_of_somebody_who_was_deleted_there(
        self, provider: FirebaseProvider, lookup: Lookup
    ) -> None:
        lookup.answer = (200, {})
        with pytest.raises(Unauthenticated):
            await provider.verify(unsigned())

    @pytest.mark.parametrize(
        "changes",
        [{"exp": int(time.time()) - 1}, {"exp": None}, {"iat": None}, {"iat": "x"}, {"sub": 5}],
        ids=range(5),
    )
    async def test_but_not_past_their_expiry_and_not_without_one(
        self, provider: FirebaseProvider, changes: dict[str, Any]
    ) -> None:
        token = unsigned(**changes)
        with pytest.raises(Unauthenticated):
            await provider.verify(token)


class TestConfiguration:
    async def test_the_project_is_the_keys_own_where_none_is_named(
        self, credentials: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "key.json"
        path.write_text(credentials)
        for written in (credentials, str(path)):
            provider = FirebaseProvider(project_id=None, credentials=written)
            await provider.close()

    @pytest.mark.parametrize(
        "credentials",
        ["missing.json", "{", '{"type": "service_account"}', '{"type": "authorized_user"}'],
    )
    def test_a_key_that_is_none_is_a_fault_of_the_configuration(self, credentials: str) -> None:
        with pytest.raises(ConfigError, match="FIREBASE_CREDENTIALS") as caught:
            FirebaseProvider(project_id=PROJECT, credentials=credentials)
        assert "\n" not in str(caught.value)

    def test_an_emulator_has_a_host_and_a_port_and_no_more(self) -> None:
        with pytest.raises(ConfigError, match="FIREBASE_AUTH_EMULATOR_HOST"):
            FirebaseProvider(project_id=PROJECT, emulator_host="http://127.0.0.1:9099")

    def test_a_project_is_needed(self) -> None:
        with pytest.raises(ConfigError, match="FIREBASE_PROJECT_ID"):
            FirebaseProvider(project_id=None)
