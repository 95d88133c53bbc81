import asyncio
from pathlib import Path

import pytest

from tests.support.loops import Loop


def test_what_is_left_open_is_an_error_and_nothing_hangs(tmp_path: Path) -> None:
    loop, path = Loop(), str(tmp_path / "s")
    server = loop.run_until_complete(loop.create_unix_server(asyncio.Protocol, path))
    left = loop.run_until_complete(loop.create_unix_connection(asyncio.Protocol, path))
    with pytest.raises(ResourceWarning, match="unclosed resource"):
        loop.close()
    assert loop.is_closed()
    del server, left
