"""Section 9, and what section 5 promises over a restart.

Under load, with calls and requests under way: tests/e2e/test_stop_under_load.py, test_grpc.py. Jobs
under way: tests/queue/test_stop.py. A second signal, SIGINT and SIGKILL: test_embedded_default.py.
"""

import signal
from pathlib import Path

import httpx
import pytest

from tests.support.outside import Outside, data_of, wait_until
from tests.support.program import environment, running_program

DRAIN_SECONDS = 10  # in which all that is to be seen meanwhile has to be seen, on a busy machine


def test_a_stop_drains_and_a_client_misses_nothing_over_it(tmp_path: Path) -> None:
    env = environment(tmp_path / "data", DRAIN_SECONDS=str(DRAIN_SECONDS))
    with running_program(env=env, cwd=tmp_path) as program:
        service = Outside(program, env, tmp_path)
        with service.api, service.listening(headers=service.root.headers) as stream:
            stream.begin()
            program.process.send_signal(signal.SIGTERM)
            program.wait_for("stopping")
            ready = wait_until(
                lambda: (found := httpx.get(f"{program.api}/ready")).status_code == 503 and found
            )
            assert ready.json()["status"] == "unavailable"
            assert ready.headers["Connection"] == "close"
            body = {"type": "x", "data": {"n": 1}, "user_id": service.root.id}
            sent = httpx.post(f"{program.api}/events", headers=service.root.headers, json=body)
            assert data_of(sent, 202)  # the listener still serves
            stream.next_events(1)
            frames = stream.until(lambda _: False).frames
            assert frames[-1].retry
            last_id, seen = str(stream.parser.last_id), len(stream.parser.events)
        assert program.process.wait(35) == 0
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{program.api}/health")

    with running_program(env=env, cwd=tmp_path) as program:
        again = Outside(program, env, tmp_path)
        with again.api:
            publish = {"type": "x", "data": {"n": 2}, "user_id": service.root.id}
            headers = service.root.headers
            data_of(again.api.post("/events", headers=headers, json=publish), 202)
            with again.listening(headers=headers | {"Last-Event-ID": last_id}) as stream:
                (event,) = stream.next_events(1)
    assert (seen, event.json["data"]) == (1, {"n": 2})
