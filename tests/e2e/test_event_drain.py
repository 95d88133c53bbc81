"""Open streams when their process is told to stop."""

import time

import httpx

from tests.e2e.conftest import Start
from tests.support.event_stream import Parser
from tests.support.program import token_for


def test_streams_end_with_a_retry_and_do_not_hold_up_the_stop(
    start: Start, env: dict[str, str]
) -> None:
    program = start("--role=api")
    token = token_for("ada@example.com", env)
    headers = {"Authorization": f"Bearer {token}"}
    parser = Parser()
    with httpx.stream("GET", f"{program.api}/events", headers=headers, timeout=30) as stream:
        pieces = stream.iter_bytes()
        parser.feed(next(pieces))
        began = time.monotonic()
        program.process.terminate()
        for piece in pieces:  # to an end that is whole: a cut one would raise
            parser.feed(piece)
    assert program.process.wait(30) == 0
    assert time.monotonic() - began < 10
    assert parser.frames[-1].retry
    assert token not in program.log_file.read_text()
