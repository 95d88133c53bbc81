"""Live events over two real processes, whose clients are cut at random."""

from pathlib import Path

from tests.e2e.conftest import Start
from tests.support.program import run_program, token_for
from tests.support.storm import run_storm


async def test_nothing_is_lost_repeated_or_out_of_order(
    start: Start, env: dict[str, str], tmp_path: Path
) -> None:
    first = start("--role=api")
    addresses = [first.api, start("--role=api").api]
    emails = [f"user{number}@example.com" for number in range(4)]
    tokens = [token_for(email, env) for email in emails]
    scope = ("--scope", "events:publish")
    key = run_program("apikey", "create", "storm", *scope, env=env, cwd=tmp_path).stdout.strip()
    storm = await run_storm(addresses, tokens=tokens, key=key, clients=10, rate=50, seconds=4)
    assert storm.faults == []
    assert len(storm.published) == 200
    assert sum(listener.connections for listener in storm.listeners) > 20
