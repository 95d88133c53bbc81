"""Sections 1 and 2: one entry point, its commands, and what becomes of wrong ones.

`migrate`, `makemigrations`: tests/database. `sync`: tests/cli/test_sync.py. `doctor`: tests/doctor.
`tui`: tests/tui. Wrong flags and wrong settings one by one: tests/cli/test_command_line.py and
tests/test_config.py.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from myapp import __version__
from tests.support.outside import Outside, data_of, new_email, wait_until

pytestmark = pytest.mark.xdist_group("contract: commands")

COMMANDS = (
    *("tui", "migrate", "makemigrations", "sync", "token", "admin", "apikey", "enqueue"),
    *("doctor", "routes", "openapi"),
)


def fails(done: subprocess.CompletedProcess[str], status: int) -> str:
    """One line on standard error, nothing on standard output, and this status."""
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1), done.stderr
    return done.stderr


class TestEntryPoint:
    def test_is_myapp_and_python_m_myapp(self, service: Outside) -> None:
        script = Path(sys.executable).with_name("myapp")
        for start in ([script], [sys.executable, "-m", "myapp"]):
            done = subprocess.run(
                [*start, "--version"], capture_output=True, text=True, check=True, env=service.env
            )
            assert done.stdout == f"myapp {__version__}\n"

    def test_runs_every_role_by_itself(self, service: Outside) -> None:
        ready = service.program.wait_for("ready")
        assert ready["roles"] == ["api", "worker", "scheduler", "grpc"]

    def test_helps_with_every_command(self, service: Outside) -> None:
        """What it may load to be quick: tests/cli/test_command_line.py."""
        text = service.run("--help").stdout
        for name in (*COMMANDS, "--role", "--host", "--port", "--grpc-port", "--health-port"):
            assert re.search(rf"^ +{name}\b", text, re.MULTILINE), name
        assert "--data-dir" in text
        assert "--queues" in text


class TestWrongUse:
    @pytest.mark.parametrize(
        ("arguments", "variables", "named"),
        [
            (["--role=cook"], {}, "--role"),
            (["--prot=1"], {}, "--prot"),
            (["serve"], {}, "serve"),
            ([], {"PORT": "http"}, "PORT"),
            ([], {"REDIS_URL": "redis://h:port"}, "REDIS_URL"),
            ([], {"STORAGE_URL": "file://relative"}, "STORAGE_URL"),
            ([], {"APP_ENV": "production"}, "AUTH_PROVIDER"),
            ([], {"WEB_CONCURRENCY": "2"}, "WEB_CONCURRENCY"),
        ],
        ids=str,
    )
    def test_is_one_line_that_names_it_and_status_2(
        self, service: Outside, arguments: list[str], variables: dict[str, str], named: str
    ) -> None:
        assert named in fails(service.run(*arguments, **variables), 2)

    def test_starts_nothing(self, service: Outside, tmp_path: Path) -> None:
        folder = tmp_path / "data"
        files = {"GRPC_TLS_CERT": "no.pem", "GRPC_TLS_KEY": "no.pem"}
        (service.folder / "no.pem").write_text("no certificate\n")
        assert "GRPC_TLS_CERT" in fails(service.run(DATA_DIR=str(folder), **files), 2)
        assert not folder.exists()

    def test_of_an_env_file_that_is_no_text(self, service: Outside, tmp_path: Path) -> None:
        (tmp_path / ".env").write_bytes(b"PORT=\xff\n")
        done = subprocess.run(
            [sys.executable, "-m", "myapp", "token", "ada@example.com"],
            cwd=tmp_path,
            env=service.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ".env" in fails(done, 2)

    def test_of_a_database_that_is_behind_says_what_to_run(
        self, service: Outside, tmp_path: Path
    ) -> None:
        database = {"DATABASE_URL": f"sqlite://{tmp_path}/app.db"}
        assert "run: myapp migrate" in fails(service.run("--role=worker", **database), 2)
        assert service.run("migrate", "--check", **database).returncode == 1


class TestToken:
    def test_prints_one_a_line(self, service: Outside) -> None:
        emails = [new_email() for _ in range(3)]
        done = service.run("token", *emails, "--expires-in", "60")
        claims = [
            jwt.decode(line, options={"verify_signature": False})
            for line in done.stdout.splitlines()
        ]
        assert [claim["email"] for claim in claims] == emails
        assert {round(claim["exp"] - claim["iat"]) for claim in claims} == {60}
        headers = {"Authorization": f"Bearer {done.stdout.splitlines()[0]}"}
        assert data_of(service.api.get("/auth/me", headers=headers))["email"] == emails[0]

    def test_is_for_development_only(self, service: Outside) -> None:
        assert fails(service.run("token", "a@b.c", FIREBASE_PROJECT_ID="demo"), 2)


class TestAdmin:
    def test_grants_lists_and_revokes(self, service: Outside) -> None:
        assert service.root.email in service.run("admin", "list").stdout  # never the last one
        email = new_email()
        granted = service.run("admin", "grant", email)
        assert (granted.returncode, granted.stderr) == (0, "")
        assert email in service.run("admin", "list").stdout
        assert service.run("admin", "revoke", email).returncode == 0
        assert email not in service.run("admin", "list").stdout
        assert email in fails(service.run("admin", "revoke", email), 1)


class TestApiKey:
    def test_is_printed_once_alone_on_standard_output(self, service: Outside) -> None:
        scopes = ("--scope", "metrics:read", "--scope", "events:publish")
        created = service.run("apikey", "create", "mailer", *scopes, "--expires-in-days", "1")
        key = created.stdout.strip()
        assert created.stdout == f"{key}\n"
        headers = {"X-API-Key": key}
        assert service.api.get("/metrics", headers=headers).status_code == 200
        listed = next(
            line
            for line in service.run("apikey", "list").stdout.splitlines()
            if "_".join(key.split("_")[:2]) in line
        )
        assert key not in listed
        key_id = listed.split()[0]
        record = service.audit("api_key.created", key_id)
        assert (record["actor_type"], record["after"]["name"]) == ("cli", "mailer")

        rotated = service.run("apikey", "rotate", key_id)
        new = {"X-API-Key": rotated.stdout.strip()}
        for each in (headers, new):
            assert service.api.get("/metrics", headers=each).status_code == 200
        assert service.run("apikey", "revoke", key_id).returncode == 0
        for each in (headers, new):
            wait_until(lambda: service.api.get("/metrics", headers=each).status_code == 401)  # noqa: B023  # asked at once
        for action in ("rotated", "revoked"):
            assert service.audit(f"api_key.{action}", key_id)["actor_type"] == "cli"

    def test_takes_known_scopes(self, service: Outside) -> None:
        assert "--scope" in fails(service.run("apikey", "create", "x", "--scope", "odd"), 2)
        assert "--scope" in fails(service.run("apikey", "create", "x"), 2)


class TestDescription:
    def test_routes_are_all_there_is(self, service: Outside) -> None:
        text = service.run("routes").stdout
        for part in (
            *("/auth/me", "/admin/jobs/bulk", "notification:send", "sync:data", "cleanup:expired"),
            *("0 3 * * *", "0 * * * *", "AccountService/WatchAccounts", "grpc.health.v1.Health"),
        ):
            assert part in text, part

    def test_openapi_is_what_the_program_serves(self, service: Outside, tmp_path: Path) -> None:
        printed = service.run("openapi").stdout
        file = tmp_path / "api.json"
        assert service.run("openapi", "--output", str(file)).stdout == ""
        assert json.loads(printed) == json.loads(file.read_text())
        assert json.loads(printed) == service.api.get("/openapi.json").json()
        nowhere = str(tmp_path / "none" / "api.json")
        assert nowhere in fails(service.run("openapi", "--output", nowhere), 2)

    def test_doctor_checks_as_json(self, service: Outside) -> None:
        done = service.run("doctor", "--json")
        assert done.returncode == 0, done.stdout
        assert json.loads(done.stdout)


def test_procfile(service: Outside) -> None:
    """Run as a platform would: tests/e2e/test_procfile.py."""
    lines = (Path(__file__).parents[3] / "Procfile").read_text().splitlines()
    assert lines == [
        "release: myapp migrate",
        *("web: myapp --role=api", "worker: myapp --role=worker"),
        *("scheduler: myapp --role=scheduler", "grpc: myapp --role=grpc"),
    ]
