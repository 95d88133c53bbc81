"""What the embedded server holds, as it was in one moment, in the form that it starts from.

A server with an append-only file loads that and no dump. Since version 7 the file is a folder: a
base, which may be a dump, what came after it, and a manifest that names them. So a dump that is
named as a base is a whole append-only file, to which the server adds its own.
"""

import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from myapp.backup.progress import Progress
from myapp.errors import Unavailable

DUMP = "dump.rdb"  # the server's default; it has no other use for one
FOLDER = "appendonlydir"
BASE = "appendonly.aof.1.base.rdb"
MANIFEST = "appendonly.aof.manifest"
MANIFEST_TEXT = f"file {BASE} seq 1 type b\n"
POLL_SECONDS = 0.02
WAIT_SECONDS = 600.0  # for a dump of whatever size, or for a rewrite of the append-only file
COMMAND_SECONDS = 10.0  # a fork of a large server takes a while
# Of `INFO persistence`: with any of them the server has no dump made.
BUSY = ("rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled")


class QueueMoment:
    """A dump of the server in `home`. Raises Unavailable when the server cannot make one."""

    def __init__(self, url: str, home: Path, *, command_seconds: float = COMMAND_SECONDS) -> None:
        self._redis = Redis.from_url(url, socket_timeout=command_seconds, decode_responses=True)
        self._dump = home / DUMP

    def close(self) -> None:
        self._redis.close()

    def wait(self) -> None:
        """Returns when the server could fork."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._is_busy():
            if time.monotonic() > deadline:
                raise Unavailable("The embedded server does not finish what it writes to its disk")
            time.sleep(POLL_SECONDS)

    def begin(self) -> bool:
        """Has the server fork: the dump is of this moment. False while it is busy otherwise."""
        self._dump.unlink(missing_ok=True)  # one that a killed backup left
        try:
            self._redis.bgsave(schedule=False)
        except ResponseError as error:
            if self._is_busy():
                return False
            raise Unavailable(f"The embedded server makes no dump: {error}") from error
        except RedisError as error:
            raise lost(error) from error
        return True

    def finish(self, home: Path, progress: Progress) -> None:
        """Puts the dump below `home` in the form that a server starts from."""
        self.wait()
        state = self._state()
        if state.get("rdb_last_bgsave_status") != "ok" or not self._dump.exists():
            raise Unavailable("The embedded server could not write its dump: see its log")
        folder = home / FOLDER
        folder.mkdir(mode=0o700, parents=True)
        progress.begin("queue", self._dump.stat().st_size)
        self._dump.replace(folder / BASE)
        (folder / MANIFEST).write_text(MANIFEST_TEXT)
        progress.advance((folder / BASE).stat().st_size)

    def _is_busy(self) -> bool:
        state = self._state()
        return any(state.get(name) for name in BUSY)

    def _state(self) -> dict[str, object]:
        try:
            return dict(self._redis.info("persistence"))  # type: ignore[arg-type]  # sync or async, says redis-py
        except RedisError as error:
            raise lost(error) from error


def lost(error: Exception) -> Unavailable:
    return Unavailable(f"The embedded server went away during the backup: {error}")
