"""`myapp doctor`, as a person or a script runs it."""

import json
from pathlib import Path

import httpx

from tests.cli.conftest import MyApp
from tests.support.program import environment, running_program


def test_makes_nothing_in_a_fresh_folder(myapp: MyApp, folder: Path) -> None:
    done = myapp("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert not folder.exists()
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert {len(line) for line in lines} == {4}
    assert {line[0] for line in lines} == {"ok", "warning"}
    assert "production.mode" in {line[1] for line in lines}


def test_a_bad_setting_is_one_line_and_status_2(myapp: MyApp) -> None:
    for variables in ({"WORKER_CONCURRENCY": "0"}, {"DATABASE_URL": "sqlite://"}):
        done = myapp("doctor", **variables)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert next(iter(variables)) in done.stderr


def test_what_is_out_of_reach_fails_and_no_password_is_shown(myapp: MyApp) -> None:
    done = myapp(
        *("doctor", "--json"),
        DATABASE_URL="postgres://ada:correct-horse@127.0.0.1:9/app",
        REDIS_URL="redis://:battery-staple@127.0.0.1:9",
    )
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert report["status"] == "failed"
    found = {each["name"]: each for each in report["findings"]}
    assert {name for name, each in found.items() if each["status"] == "failed"} == {
        "database",
        "redis",
    }
    assert all(set(each) == {"name", "status", "message", "advice"} for each in found.values())
    assert "correct-horse" not in done.stdout
    assert "battery-staple" not in done.stdout


def test_sees_a_running_program_and_who_forwards_to_it(
    myapp: MyApp, folder: Path, tmp_path: Path
) -> None:
    with running_program("--role=api", env=environment(folder), cwd=tmp_path) as program:
        forwarded = {"X-Forwarded-For": "203.0.113.9"}
        assert httpx.get(f"{program.api}/health", headers=forwarded).status_code == 200
        program.wait_for("forwarding headers from a peer that is not trusted")
        done = myapp("doctor", "--json")
        found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
        assert done.returncode == 0
        assert found["forwarding"]["status"] == "warning"
        assert "127.0.0.1" in found["forwarding"]["message"]
        assert found["processes"]["message"] == "1 run now: api"
        assert program.stop() == 0
