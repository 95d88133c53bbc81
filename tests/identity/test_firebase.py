"""Signed tokens, with real keys, and Google's certificate server played over loopback."""

import asyncio
import base64
import hmac
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from myapp.errors import Unauthenticated, Unavailable
from myapp.identity.base import NotYetValid, check_shape
from myapp.identity.certificates import lifetime_of
from myapp.identity.firebase import FirebaseProvider
from tests.support.hubs import until

PROJECT = "demo-project"


def certificate_of(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "securetoken")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class Google:
    """The certificate server, with the answers that it is told to give."""

    def __init__(self) -> None:
        self.certificate_requests = 0
        self.status = 200
        self.delay = 0.0
        self.released = threading.Event()
        self.released.set()
        self.certificates: object = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.certificate_requests += 1
                time.sleep(outer.delay)
                outer.released.wait(10)
                body = outer.certificates
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Cache-Control", "public, max-age=20000, must-revalidate")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.certificates_url = f"http://127.0.0.1:{self._server.server_port}/certificates"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts back what a provider changes in it."""
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "")


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def google(key: rsa.RSAPrivateKey) -> Iterator[Google]:
    google = Google()
    google.certificates = {"k1": certificate_of(key)}
    yield google
    google.close()


@pytest.fixture
async def provider(google: Google) -> AsyncIterator[FirebaseProvider]:
    provider = FirebaseProvider(project_id=PROJECT, certificates_url=google.certificates_url)
    yield provider
    await provider.close()


def claims(**changes: object) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": f"https://securetoken.google.com/{PROJECT}",
        "aud": PROJECT,
        "sub": "ada",
        "user_id": "ada",
        "email": "ada@example.com",
        "email_verified": True,
        "name": "Ada",
        "auth_time": now,
        "iat": now,
        "exp": now + 3600,
        "firebase": {"sign_in_provider": "password"},
    } | changes


def sign(key: rsa.RSAPrivateKey, *, kid: str | None = "k1", **changes: object) -> str:
    return jwt.encode(claims(**changes), key, "RS256", headers={"kid": kid} if kid else None)


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


class TestVerifying:
    async def test_a_good_token_tells_who_it_is(
        self, provider: FirebaseProvider, key: rsa.RSAPrivateKey
    ) -> None:
        token = sign(key)
        check_shape(token)
        identity = await provider.verify(token)
        assert (identity.uid, identity.email, identity.name) == ("ada", "ada@example.com", "Ada")
        assert identity.email_verified
        assert identity.expires_at > datetime.now(UTC)

    async def test_an_account_may_lack_an_email(
        self, provider: FirebaseProvider, key: rsa.RSAPrivateKey
    ) -> None:
        identity = await provider.verify(sign(key, email=None, email_verified=None, name=None))
        assert (identity.email, identity.email_verified, identity.name) == (None, False, None)

    async def test_five_seconds_ahead_are_forgiven(
        self, provider: FirebaseProvider, key: rsa.RSAPrivateKey
    ) -> None:
        identity = await provider.verify(sign(key, iat=int(time.time()) + 5))
        assert identity.uid == "ada"

    async def test_a_minute_ahead_is_not_yet_valid(
        self, provider: FirebaseProvider, key: rsa.RSAPrivateKey
    ) -> None:
        with pytest.raises(NotYetValid):
            await provider.verify(sign(key, iat=int(time.time()) + 60))

    @pytest.mark.parametrize("seconds", [1, 5, 3600])
    async def test_no_tolerance_is_given_past_the_expiry(
        self, provider: FirebaseProvider, key: rsa.RSAPrivateKey, seconds: int
    ) -> None:
        with pytest.raises(Unauthenticated, match="expired"):
            await provider.verify(sign(key, exp=int(time.time()) - seconds))

    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": "other-project"},
            {"iss": "https://securetoken.google.com/other-project"},
            {"sub": ""},
            {"sub": "x" * 129},
            {"iat": None},
            {"iat": "now"},
            {"exp": None},
            {"exp": []},
            {"kid": None},
            {"kid": "unknown"},
        ],
        ids=str,
    )
    async def test_a_signed_token_that_is_wrong_in_one_point_is_refused(
        self, provider: FirebaseProvider, key: rsa.RSAPrivateKey, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(Unauthenticated):
            await provider.verify(sign(key, **changes))

    async def test_a_forged_signature_is_refused(
        self, provider: FirebaseProvider, key: rsa.RSAPrivateKey
    ) -> None:
        mallory = rsa.generate_private_key(65537, 2048)
        head, body, signature = sign(key).split(".")
        changed = signature[:100] + ("A" if signature[100] != "A" else "B") + signature[101:]
        for token in (sign(mallory), f"{head}.{body}.{changed}", f"{head}.{body}."):
            with pytest.raises(Unauthenticated):
                await provider.verify(token)

    async def test_the_public_key_signs_nothing(
        self, provider: FirebaseProvider, key: rsa.RSAPrivateKey
    ) -> None:
        signing_input = encode({"alg": "HS256", "kid": "k1"}) + "." + encode(claims())
        secret = certificate_of(key).encode()
        signature = hmac.digest(secret, signing_input.encode(), "sha256")
        token = signing_input + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
        with pytest.raises(Unauthenticated):
            await provider.verify(token)

    @pytest.mark.parametrize(
        "token",
        [
            "",
            "short",
            "a.b.c",
            "..",
            "é.b.c",
            "\ud800.b.c",
            "a" * 100_000,
            base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.e30",
            encode({"alg": "RS256", "kid": "k1"})
            + "."
            + base64.urlsafe_b64encode(b'{"a":' * 1200).decode()
            + ".e30",
            encode({"alg": "HS256"}) + "." + encode({"v": 0, "d": 5}) + ".e30",
            encode({"alg": "RS256", "kid": ["k1"]}) + "." + encode({"aud": PROJECT}) + ".e30",
            encode([]) + "." + encode([]) + "." + encode([]),
        ],
        ids=range(12),
    )
    async def test_garbage_is_refused(self, provider: FirebaseProvider, token: str) -> None:
        with pytest.raises(Unauthenticated):
            await provider.verify(token)

    async def test_alg_none_is_refused(self, provider: FirebaseProvider) -> None:
        for header in ({"alg": "none"}, {"alg": "none", "kid": "k1"}):
            with pytest.raises(Unauthenticated):
                await provider.verify(encode(header) + "." + encode(claims()) + ".")

    async def test_nothing_changes_because_the_environment_names_an_emulator(
        self, google: Google
    ) -> None:
        os.environ["FIREBASE_AUTH_EMULATOR_HOST"] = "127.0.0.1:9"
        provider = FirebaseProvider(project_id=PROJECT, certificates_url=google.certificates_url)
        with pytest.raises(Unauthenticated):
            await provider.verify(encode({"alg": "none"}) + "." + encode(claims()) + ".")
        await provider.close()


class TestCertificates:
    async def test_fifty_first_verifications_are_one_download(
        self, provider: FirebaseProvider, google: Google, key: rsa.RSAPrivateKey
    ) -> None:
        google.delay = 0.1
        await asyncio.gather(*(provider.verify(sign(key, sub=f"u{n}")) for n in range(50)))
        await provider.verify(sign(key))
        assert google.certificate_requests == 1

    async def test_the_loop_goes_on_while_they_are_fetched(
        self, provider: FirebaseProvider, google: Google, key: rsa.RSAPrivateKey
    ) -> None:
        google.released.clear()  # a loop that stood still would not get to set it in time
        task = asyncio.create_task(provider.verify(sign(key)))
        await until(lambda: google.certificate_requests > 0)
        google.released.set()
        assert (await task).uid == "ada"

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (503, {}),
            (500, {}),
            (404, {}),
            (200, b"<html>Sign in to this network</html>"),
            (200, b""),
            (200, {}),
            (200, []),
            (200, {"k1": "no certificate"}),
        ],
    )
    async def test_a_server_out_of_order_is_unavailable_and_is_asked_again(
        self,
        provider: FirebaseProvider,
        google: Google,
        key: rsa.RSAPrivateKey,
        status: int,
        body: object,
    ) -> None:
        right = google.certificates
        google.status, google.certificates = status, body
        with pytest.raises(Unavailable):
            await provider.verify(sign(key))
        google.status, google.certificates = 200, right
        assert (await provider.verify(sign(key))).uid == "ada"

    async def test_a_server_that_is_gone_is_unavailable(
        self, google: Google, key: rsa.RSAPrivateKey
    ) -> None:
        provider = FirebaseProvider(project_id=PROJECT, certificates_url="http://127.0.0.1:9/")
        with pytest.raises(Unavailable):
            await provider.verify(sign(key))
        await provider.close()

    async def test_a_slow_server_is_unavailable_after_the_timeout_for_all_at_once(
        self, google: Google, key: rsa.RSAPrivateKey
    ) -> None:
        provider = FirebaseProvider(
            project_id=PROJECT, certificates_url=google.certificates_url, http_timeout=1
        )
        google.delay = 3
        began = time.monotonic()
        results = await asyncio.gather(
            *(provider.verify(sign(key)) for _ in range(50)), return_exceptions=True
        )
        assert {type(result) for result in results} == {Unavailable}
        assert time.monotonic() - began < 10  # one after the other they would take 50
        await provider.close()

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"cache-control": "public, max-age=20000", "age": "5000"}, 15000),
            ({"cache-control": "public, max-age=20000"}, 20000),
            ({"cache-control": "no-store"}, 60),
            ({"cache-control": "max-age=100", "age": "5000"}, 60),
            ({"cache-control": "max-age=999999999", "age": "soon"}, 86400),
            ({}, 60),
        ],
    )
    def test_they_are_kept_as_long_as_google_says(
        self, headers: dict[str, str], seconds: float
    ) -> None:
        assert lifetime_of(headers) == seconds
