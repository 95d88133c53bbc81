"""Section 3, as far as it shows from outside, and section 4 where settings decide.

Every variable with its default, and each that is refused: tests/test_config.py. Databases, Redis
and S3 by their URLs: `make test-databases`, tests/storage. WEB_CONCURRENCY:
tests/e2e/test_supervisor.py.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.outside import Outside, new_email, refused
from tests.support.program import environment, running_program

pytestmark = pytest.mark.xdist_group("contract: commands")

ORIGIN = "https://app.example.com"
FAR = "203.0.113."  # addresses that the proxy, which is us, speaks for


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """An api that differs from the default in what these tests look at."""
    folder = tmp_path_factory.mktemp("configured")
    env = environment(
        folder / "data",
        CORS_ALLOWED_ORIGINS=f"{ORIGIN}, http://localhost:3000",
        TRUSTED_PROXIES="127.0.0.1",
        HEALTH_PORT="0",
        RATE_LIMIT_FAILED_SIGN_IN="3/hour",
        RATE_LIMIT_TICKETS="2/hour",
        RATE_LIMIT_UPLOADS="1/hour",
        RATE_LIMIT_ANONYMOUS="4/hour",
        RATE_LIMIT_USER="5/hour",
        RATE_LIMIT_KEY="2/hour",
    )
    with running_program("--role=api", env=env, cwd=folder) as program:
        outside = Outside(program, env, folder)
        with outside.api:
            yield outside


def signed_in(service: Outside, address: str) -> dict[str, str]:
    """Headers of somebody at that address, whom the program does not know yet."""
    token = service.sign(new_email())
    return {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}


class TestCors:
    def test_lets_the_origins_in(self, configured: Outside) -> None:
        for origin in (ORIGIN, "http://localhost:3000"):
            asked = {
                "Origin": origin,
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "authorization,content-type",
                "X-Forwarded-For": FAR + "1",
            }
            answer = configured.api.options("/auth/me", headers=asked)
            assert answer.status_code == 200
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
            assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()

    def test_lets_errors_be_read_too(self, configured: Outside) -> None:
        answer = configured.api.get(
            "/auth/me", headers={"Origin": ORIGIN, "X-Forwarded-For": FAR + "2"}
        )
        assert answer.status_code == 401
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN

    def test_lets_no_other_origin_in(self, configured: Outside) -> None:
        for origin in ("https://evil.example.com", "null"):
            answer = configured.api.get("/health", headers={"Origin": origin})
            assert "Access-Control-Allow-Origin" not in answer.headers

    def test_lets_nobody_in_by_default(self, service: Outside) -> None:
        answer = service.api.get("/health", headers={"Origin": ORIGIN})
        assert "Access-Control-Allow-Origin" not in answer.headers


class TestHealthPort:
    def test_serves_health_ready_and_metrics_to_all(self, configured: Outside) -> None:
        base = f"http://{configured.program.address('health')}"
        assert httpx.get(f"{base}/health").json() == {"status": "ok"}
        assert httpx.get(f"{base}/ready").json()["status"] == "ready"
        assert httpx.get(f"{base}/metrics").status_code == 200

    def test_gives_every_answer_a_request_id(self, configured: Outside) -> None:
        base = f"http://{configured.program.address('health')}"
        answer = httpx.get(f"{base}/nowhere", headers={"X-Request-ID": "mine"})
        assert refused(answer) == (404, "not_found")
        assert answer.headers["X-Request-ID"] == "mine"
        assert httpx.get(f"{base}/health").headers["X-Request-ID"]


class TestTrustedProxies:
    def test_are_believed(self, configured: Outside) -> None:
        """Metrics are open to loopback, and who comes through the proxy is somewhere else."""
        far = configured.api.get("/metrics", headers={"X-Forwarded-For": FAR + "3"})
        assert refused(far) == (401, "unauthenticated")
        assert configured.api.get("/metrics").status_code == 200

    def test_are_nobody_by_default(self, service: Outside) -> None:
        ada = service.person()
        headers = service.root.headers | {"X-Forwarded-For": FAR + "3"}
        service.api.patch(f"/admin/users/{ada.id}", headers=headers, json={"name": "Ada"})
        assert service.audit("user.updated", ada.id)["address"] == "127.0.0.1"


def limited(answers: list[httpx.Response]) -> list[int]:
    """The statuses; whoever is refused is told when to come back."""
    for answer in answers:
        if answer.status_code == 429:
            assert refused(answer) == (429, "rate_limited")
            assert int(answer.headers["Retry-After"]) >= 1
    return [answer.status_code for answer in answers]


class TestRateLimits:
    """Over several processes, and while Redis is away: tests/test_rate_limits.py."""

    def test_of_failed_sign_ins_refuse_tokens_that_are_not_known(self, configured: Outside) -> None:
        address = FAR + "10"
        known = signed_in(configured, address)
        assert configured.api.get("/auth/me", headers=known).status_code == 200
        answers = [
            configured.api.post(
                "/auth/verify",
                headers={"X-Forwarded-For": address},
                json={"token": f"bad{number}"},
            )
            for number in range(4)
        ]
        assert limited(answers) == [401, 401, 401, 429]
        unknown = configured.api.get("/auth/me", headers=signed_in(configured, address))
        assert refused(unknown) == (429, "rate_limited")
        assert configured.api.get("/auth/me", headers=known).status_code == 200
        elsewhere = signed_in(configured, FAR + "11")
        assert configured.api.get("/auth/me", headers=elsewhere).status_code == 200

    def test_of_strangers_are_by_address(self, configured: Outside) -> None:
        for address in (FAR + "20", FAR + "21"):
            headers = {"X-Forwarded-For": address}
            answers = [configured.api.get("/nowhere", headers=headers) for _ in range(5)]
            assert limited(answers) == [404] * 4 + [429]
        answers = [configured.api.get("/health", headers=headers) for _ in range(5)]
        assert limited(answers) == [200] * 5

    def test_of_users(self, configured: Outside) -> None:
        headers = signed_in(configured, FAR + "30")
        answers = [configured.api.get("/auth/me", headers=headers) for _ in range(6)]
        assert limited(answers) == [200] * 5 + [429]

    def test_of_tickets_and_uploads_are_their_own(self, configured: Outside) -> None:
        headers = signed_in(configured, FAR + "31")
        tickets = [configured.api.post("/events/ticket", headers=headers) for _ in range(3)]
        assert limited(tickets) == [200, 200, 429]
        files = {"file": ("a.txt", b"x")}
        uploads = [configured.api.post("/files", headers=headers, files=files) for _ in range(2)]
        assert limited(uploads) == [201, 429]
        assert configured.api.get("/auth/me", headers=headers).status_code == 200

    def test_of_keys(self, configured: Outside) -> None:
        made = configured.run("apikey", "create", "k", "--scope", "metrics:read")
        headers = {"X-API-Key": made.stdout.strip(), "X-Forwarded-For": FAR + "32"}
        answers = [configured.api.get("/metrics", headers=headers) for _ in range(3)]
        assert limited(answers) == [200, 200, 429]


class TestDefaults:
    def test_are_a_rate_of_sixty_tickets_a_minute(self, service: Outside) -> None:
        ada = service.person()
        answers = [service.api.post("/events/ticket", headers=ada.headers) for _ in range(70)]
        statuses = limited(answers)
        # A minute may have passed on a busy machine.
        assert statuses[:60] == [200] * 60

    def test_keep_everything_in_the_data_folder(self, service: Outside) -> None:
        folder = service.folder / "data"
        assert {"app.db", "valkey", "secret.key", "identity.key", "files"} <= {
            path.name for path in folder.iterdir()
        }


def test_the_page_at_the_root_is_not_there_in_production(configured: Outside) -> None:
    """Nor are metrics open to loopback."""
    env = configured.env | {
        "APP_ENV": "production",
        "SECRET_KEY": "s" * 32,
        "FIREBASE_PROJECT_ID": "demo",
        "HOST": "127.0.0.1",
        "DATA_DIR": str(configured.folder / "production"),
        "TRUSTED_PROXIES": "",
    }
    with running_program("--role=api", env=env, cwd=configured.folder) as program:
        assert refused(httpx.get(f"{program.api}/")) == (404, "not_found")
        assert refused(httpx.get(f"{program.api}/metrics")) == (401, "unauthenticated")
