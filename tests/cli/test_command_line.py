"""Flags, commands, and what becomes of wrong ones."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from openapi_spec_validator import validate

from myapp import __version__
from tests.cli.conftest import MyApp
from tests.support.program import environment

HEAVY = ("firebase_admin", "quart", "textual", "aioboto3", "tortoise", "saq", "grpclib", "pydantic")


def modules_loaded_by(*arguments: str, cwd: Path) -> set[str]:
    """The top-level packages in memory when the command has ended."""
    script = (
        "import sys\n"
        "from myapp.cli import run_command_line\n"
        f"run_command_line({list(arguments)!r})\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=cwd
    )
    return set(done.stderr.split())


class TestHelp:
    def test_names_every_command(self, myapp: MyApp) -> None:
        done = myapp("--help")
        assert done.returncode == 0
        for command in ("migrate", "makemigrations", "token", "enqueue", "doctor", "routes"):
            assert command in done.stdout

    def test_loads_nothing_heavy(self, tmp_path: Path) -> None:
        assert modules_loaded_by("--help", cwd=tmp_path).isdisjoint(HEAVY)

    def test_version(self, myapp: MyApp) -> None:
        assert myapp("--version").stdout == f"myapp {__version__}\n"


class TestBadUsage:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (["--role=cook"], "--role"),
            (["--role=api,cook"], "--role"),
            (["--port=http"], "--port"),
            (["--port=99999"], "PORT"),
            (["--prot=1"], "--prot"),
            (["--queues=A B"], "QUEUES"),
            ([f"--data-dir={'a' * 300}"], "DATA_DIR"),
            (["serve"], "serve"),
            (["supervised"], "supervised"),
            (["new", "Invoice"], "snake_case"),
            (["makemigrations", "Bad-Name"], "NAME"),
            (["token"], "EMAIL"),
            (["token", "--expires-in=0", "a@b.c"], "--expires-in"),
        ],
    )
    def test_is_one_line_and_status_2(
        self, myapp: MyApp, folder: Path, arguments: list[str], named: str
    ) -> None:
        done = myapp(*arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert named in done.stderr
        assert done.stderr.count("\n") == 1
        assert not folder.exists()

    def test_of_a_command_suggests_none_that_is_not_for_people(self, myapp: MyApp) -> None:
        assert myapp("serve").stderr == "myapp: No such command 'serve'.\n"

    def test_of_new_is_a_taken_name_before_it_is_a_tool_that_is_missing(
        self, tmp_path: Path
    ) -> None:
        script = (
            "import sys\n"
            "from myapp.cli import run_command_line\n"
            "sys.modules['ruff'] = None\n"
            "sys.exit(run_command_line(['new', 'device']))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "myapp/database/device.py is there already" in done.stderr

    def test_of_a_port_in_use_starts_nothing(self, myapp: MyApp, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = myapp(f"--port={taken.getsockname()[1]}")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith("myapp: PORT")
        assert not folder.exists()

    def test_of_production_names_what_is_unsafe(self, myapp: MyApp, folder: Path) -> None:
        done = myapp(APP_ENV="production")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "AUTH_PROVIDER" in done.stderr
        assert not folder.exists()


class TestFullDisk:
    @pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/full elsewhere")
    @pytest.mark.parametrize(
        "arguments", [("token", "ada@example.com"), ("routes",), ("openapi", "--output=/dev/full")]
    )
    def test_is_one_line_and_status_1(
        self, folder: Path, tmp_path: Path, arguments: tuple[str, ...]
    ) -> None:
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "myapp", *arguments],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env=environment(folder),
                cwd=tmp_path,
            )
        assert done.returncode == 1
        assert done.stderr == "myapp: cannot write: No space left on device\n"


class TestToken:
    def test_prints_one_a_line(self, myapp: MyApp) -> None:
        done = myapp("token", "ada@example.com", "bob@example.com")
        tokens = done.stdout.split("\n")
        assert [tokens.pop(), len(tokens)] == ["", 2]
        claims = jwt.decode(tokens[0], options={"verify_signature": False})
        assert claims["email"] == "ada@example.com"

    def test_takes_a_thousand(self, myapp: MyApp) -> None:
        done = myapp("token", *(f"user{number}@example.com" for number in range(1000)))
        assert len(set(done.stdout.split())) == 1000

    def test_starts_neither_database_nor_redis(self, myapp: MyApp, folder: Path) -> None:
        myapp("token", "ada@example.com")
        assert [path.name for path in folder.iterdir()] == ["identity.key"]

    @pytest.mark.parametrize("email", ["ada", "ada\udcff@example.com"], ids=["name", "bytes"])
    def test_refuses_what_is_no_email_and_then_prints_none(self, myapp: MyApp, email: str) -> None:
        done = myapp("token", "bob@example.com", email)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "ada" in done.stderr

    def test_is_not_for_firebase(self, myapp: MyApp) -> None:
        assert myapp("token", "a@b.c", FIREBASE_PROJECT_ID="project").returncode == 2


class TestEnqueue:
    def test_prints_the_key_and_nothing_else(self, myapp: MyApp) -> None:
        done = myapp("enqueue", "cleanup:expired")
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.split()) == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            ["clean:up"],
            ["cleanup:expired", "--payload={"],
            ["cleanup:expired", '--payload={"a":1}'],
        ],
        ids=["task", "json", "payload"],
    )
    def test_of_what_no_worker_could_run_is_bad_usage(
        self, myapp: MyApp, folder: Path, arguments: list[str]
    ) -> None:
        done = myapp("enqueue", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert not folder.exists()


class TestDescription:
    def test_routes_shows_what_there_is_without_starting_anything(
        self, myapp: MyApp, folder: Path
    ) -> None:
        shown = myapp("routes").stdout
        for part in (
            "/auth/me",
            "/users/{user_id}",
            "cleanup:expired",
            "0 * * * *",
            "grpc.health.v1.Health",
        ):
            assert part in shown
        assert not folder.exists()

    def test_routes_cuts_nothing_off_in_a_pipe(self, myapp: MyApp) -> None:
        assert "…" not in myapp("routes").stdout

    def test_openapi_prints_a_valid_document(self, myapp: MyApp, folder: Path) -> None:
        validate(json.loads(myapp("openapi").stdout))
        assert not folder.exists()

    def test_openapi_writes_it_to_a_file(self, myapp: MyApp, tmp_path: Path) -> None:
        done = myapp("openapi", "--output", str(tmp_path / "api.json"))
        assert done.stdout == ""
        validate(json.loads((tmp_path / "api.json").read_text()))


class TestMigrate:
    def test_applies_what_is_pending_and_then_has_nothing_to_do(self, myapp: MyApp) -> None:
        assert myapp("migrate", "--check").returncode == 1
        assert "applied" in myapp("migrate").stdout
        assert "applied" not in myapp("migrate").stdout
        assert myapp("migrate", "--check").returncode == 0

    def test_is_asked_for_before_a_role_starts_on_a_database_of_yours(
        self, myapp: MyApp, tmp_path: Path
    ) -> None:
        done = myapp("--role=api", DATABASE_URL=f"sqlite://{tmp_path}/app.db")
        assert done.returncode == 2
        assert "run: myapp migrate" in done.stderr
