"""The process that runs the server, and ends it with its last user.

It is run as a script, by its path and with the standard library alone, so that it starts in some
20 ms and stays small: `watcher.py HOME BINARY LOCK`. HOME is the server's folder and LOCK the
descriptor of the watcher's lock, which whoever starts the watcher took and hands over: there is
no moment at which a second watcher could start. Who needs a watcher and finds that lock free
starts one; so a server that died, or whose watcher died, comes back through any of its users.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

USERS_LOCK = "users.lock"  # shared: held by each user; exclusive: the server is being stopped
WATCHER_LOCK = "watcher.lock"  # held by the watcher
SERVER_LOCK = "server.lock"  # held by the server: two of them would ruin the append-only file
SOCKET = "valkey.sock"
SOCKET_LINK = "socket"  # points to the folder of a socket that could not stay in HOME
SOCKET_BYTES = 100  # Linux takes paths of 107 bytes, macOS of 103
STOP_SECONDS = 10.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def open_lock(path: Path) -> int:
    """A descriptor to lock; no program that this process starts inherits it."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def try_lock(descriptor: int, operation: int = fcntl.LOCK_EX) -> bool:
    """Takes the lock if that is possible at once."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def socket_path(home: Path) -> Path:
    """Where the server in `home` listens, or will."""
    link = home / SOCKET_LINK
    return (link.readlink() if is_private(link) else home) / SOCKET


def is_private(link: Path) -> bool:
    """Whether `link` leads to a folder that only the owner of its own folder can enter."""
    try:
        status, owner = link.readlink().lstat(), link.parent.stat().st_uid
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == owner
        and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    )


def place_socket(home: Path) -> Path:
    """The socket's path: in `home`, or where that is too long for one, in a short folder."""
    link = home / SOCKET_LINK
    if len(os.fsencode(home / SOCKET)) <= SOCKET_BYTES:
        link.unlink(missing_ok=True)
    elif not is_private(link):
        # Not TMPDIR, which may be as long. The name cannot be guessed and mkdir takes no
        # folder that somebody else made.
        folder = Path("/tmp", f"myapp-{os.urandom(8).hex()}")  # noqa: S108
        folder.mkdir(mode=0o700)
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    return socket_path(home)


def remove_socket_folder(home: Path) -> None:
    link = home / SOCKET_LINK
    if is_private(link):
        (link.readlink() / SOCKET).unlink(missing_ok=True)  # a killed server leaves it
        link.readlink().rmdir()
        link.unlink()


def take_server_lock(home: Path) -> int:
    """Waits for a server that lost its watcher; where the kernel did not end it, this does."""
    lock = open_lock(home / SERVER_LOCK)
    deadline = time.monotonic() + STOP_SECONDS
    while not try_lock(lock):
        if time.monotonic() > deadline:
            raise TimeoutError("a server that lost its watcher does not end")
        ask_to_stop(socket_path(home))
        time.sleep(0.05)
    return lock


def ask_to_stop(path: Path) -> None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        # Nobody listens once it is on its way out; the lock says when it is gone.
        connection.settimeout(1)
        connection.connect(str(path))
        connection.sendall(b"SHUTDOWN\r\n")
        connection.recv(64)


def start_server(home: Path, binary: str, lock: int) -> subprocess.Popen[bytes]:
    """The server, on a unix socket alone; it holds `lock` as long as it lives."""
    options = {
        "port": "0",
        "unixsocket": str(place_socket(home)),
        "unixsocketperm": "600",
        "dir": str(home),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",  # a killed server's last write may be half a command
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    watcher = os.getpid()
    return subprocess.Popen(  # noqa: S603  # only a user can start this, with what is theirs
        [binary, *arguments],
        pass_fds=(lock,),
        preexec_fn=lambda: end_with_parent(watcher),  # noqa: PLW1509  # no thread runs yet
    )


def end_with_parent(parent: int) -> None:
    """Has the kernel stop this process when `parent` ends: only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def stop_after_last_user(server: subprocess.Popen[bytes], users: int) -> None:
    fcntl.flock(users, fcntl.LOCK_EX)
    server.terminate()
    time.sleep(STOP_SECONDS)  # the process ends with the server, and this thread with it
    server.kill()


def watch(home: Path, binary: str) -> int:
    """Runs the server to its end; its exit status."""
    users = open_lock(home / USERS_LOCK)
    server = start_server(home, binary, take_server_lock(home))
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    threading.Thread(target=stop_after_last_user, args=(server, users), daemon=True).start()
    status = server.wait()
    if try_lock(users):  # else the next server listens at the path that they know
        remove_socket_folder(home)
    return status


def main() -> None:
    home, binary, watcher_lock = sys.argv[1:]
    if os.fork():
        os._exit(0)  # whoever started this waits for no child, and is left none to bury
    status = watch(Path(home), binary)
    # This lock first: a user who comes now waits for the other, and then finds this one free.
    os.close(int(watcher_lock))
    # Of a failure the server's own last words say more than a status; a signal leaves it none.
    sys.exit(
        status if status >= 0 else f"valkey-server was ended by {signal.Signals(-status).name}"
    )


if __name__ == "__main__":
    main()
