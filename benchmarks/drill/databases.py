"""A database server of the drill's own, to be killed: PostgreSQL, MariaDB, or SQLite's file."""

import getpass
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.drill.parts import Part
from tests.support.ports import free_ports

CHOICES = ("postgres", "mariadb", "sqlite")


@dataclass(frozen=True)
class Database:
    """`part` is None for SQLite: it is in every process of ours, and dies with each."""

    name: str
    url: str | None
    part: Part | None


def make_database(wanted: str | None, folder: Path, logs: Path) -> Database:
    """The wanted one, else the first that this machine has. Raises SystemExit without it."""
    makers = {"postgres": make_postgres, "mariadb": make_mariadb, "sqlite": make_sqlite}
    for name in [wanted] if wanted else CHOICES:
        if database := makers[name](folder, logs):
            return database
    raise SystemExit(f"There is no {wanted} on this machine, or it cannot be run by this user")


def make_postgres(folder: Path, logs: Path) -> Database | None:
    """Its server refuses to be run by root: then it is run by the user that its package made."""
    initdb, user = find_program("initdb"), None if os.geteuid() else "postgres"
    if not initdb or (user and not has_user(user)):
        return None
    data, [port] = folder / "postgres", free_ports(1)
    data.mkdir(mode=0o700)
    if user:
        shutil.chown(data, user)
    options = ["-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    subprocess.run([initdb, *options], check=True, stdout=subprocess.DEVNULL, user=user, cwd="/")
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_wal_size": "64MB",
        "shared_buffers": "32MB",
    }
    command = [str(Path(initdb).resolve().with_name("postgres")), "-D", str(data)]
    command += [f"--{name}={value}" for name, value in settings.items()]
    part = Part("database", command, logs / "database.log", user=user)
    return Database("postgres", f"postgres://postgres@127.0.0.1:{port}/postgres", part)


def make_mariadb(folder: Path, logs: Path) -> Database | None:
    server, install = find_program("mariadbd"), find_program("mariadb-install-db")
    if not server or not install:
        return None
    data, [port] = folder / "mariadb", free_ports(1)
    user = f"--user={getpass.getuser()}"
    options = ["--no-defaults", f"--datadir={data}", user]
    quiet = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run([install, *options, *quiet], check=True, stdout=subprocess.DEVNULL)
    (data / "init.sql").write_text("CREATE DATABASE IF NOT EXISTS myapp;\n")
    options += [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={data}/s"]
    options += [f"--init-file={data}/init.sql"]
    part = Part("database", [server, *options], logs / "database.log")
    return Database("mariadb", f"mysql://root@127.0.0.1:{port}/myapp", part)


def make_sqlite(_folder: Path, _logs: Path) -> Database:
    return Database("sqlite", None, None)


def find_program(name: str) -> str | None:
    """On the path, or where the packages of servers have theirs."""
    folders = [os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]
    folders += sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    return shutil.which(name, path=os.pathsep.join(folders))


def has_user(name: str) -> bool:
    return subprocess.run(["id", name], capture_output=True, check=False).returncode == 0
