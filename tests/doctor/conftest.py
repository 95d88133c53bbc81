"""Settings of a machine, and a small Google."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from myapp.config import Settings
from myapp.doctor.findings import Finding

MakeSettings = Callable[..., Settings]


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """`make_settings(app_env="production", ...)`: nothing comes from the environment's `.env`."""

    def make(**values: object) -> Settings:
        defaults: dict[str, object] = {"data_dir": tmp_path / "data"}
        return Settings(_env_file=None, **{**defaults, **values})  # type: ignore[call-arg,arg-type]  # pydantic's own

    return make


def paths_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


class Google:
    """Hands out certificates, and access tokens unless told not to."""

    def __init__(self) -> None:
        self.private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.token: tuple[int, object] = (200, {"access_token": "secret", "expires_in": 3600})
        public = self.private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.certificates: tuple[int, object] = (200, {"one": public.decode()})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(*outer.certificates)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(*outer.token)

            def answer(self, status: int, content: object) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def key(self) -> dict[str, str]:
        """A service account's."""
        text = self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        return {
            "type": "service_account",
            "project_id": "demo",
            "private_key": text,
            "client_email": "doctor@demo.iam.gserviceaccount.com",
            "token_uri": f"{self.url}/token",
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def google() -> Iterator[Google]:
    server = Google()
    yield server
    server.close()
