"""A server that speaks FCM's language, over loopback."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b'{"name": "projects/demo/messages/1"}'
    headers: Mapping[str, str] = field(default_factory=dict)


def error(status: int, code: str, *, fcm: str = "", **headers: str) -> Answer:
    """An error as FCM writes it."""
    details = [{"@type": FCM_ERROR, "errorCode": fcm}] if fcm else []
    body = {"error": {"code": status, "message": code, "status": code, "details": details}}
    return Answer(status, json.dumps(body).encode(), headers)


class FcmServer:
    """Answers by token, and remembers every message; it issues access tokens too."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.answers: dict[str, Answer] = {}
        self.token_answer: Callable[[], Answer] = lambda: Answer(
            body=b'{"access_token": "secret", "expires_in": 3600}'
        )
        self.tokens_issued = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                answer = outer.answer(self.path, content)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, content: bytes) -> Answer:
        if path == "/token":
            self.tokens_issued += 1
            return self.token_answer()
        message = json.loads(content)["message"]
        self.messages.append(message)
        return self.answers.get(message["token"], Answer())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def fcm() -> Iterator[FcmServer]:
    server = FcmServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def key(private_key: str, fcm: FcmServer) -> dict[str, str]:
    """A service account's."""
    return {
        "type": "service_account",
        "project_id": "demo",
        "private_key": private_key,
        "client_email": "push@demo.iam.gserviceaccount.com",
        "token_uri": f"{fcm.address}/token",
    }
