"""SQLite: the write-ahead log, and a file system that it can trust."""

import sqlite3
import sys
from functools import partial
from pathlib import Path

from myapp.config import Settings
from myapp.database.connection import Database
from myapp.database.url import Target
from myapp.doctor.findings import Finding, failed, ok, warning
from myapp.doctor.running import in_daemon_thread

# SQLite's log is shared memory, which two machines do not share, whatever the file system says.
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ocfs2"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.ceph", "beegfs"}
)
MOUNTS = Path("/proc/self/mounts")


async def look_at_sqlite(_: Settings, target: Target, database: Database) -> list[Finding]:
    """The file, its log and where it lies."""
    path = Path(target.credentials["file_path"])
    rows = await database.client.execute_query_dict("PRAGMA journal_mode")
    mode = str(rows[0]["journal_mode"]).lower()
    found = [ok("database", f"SQLite {sqlite3.sqlite_version} opens {path}")]
    if mode != "wal":
        found.append(
            failed(
                "database.wal",
                f"The journal mode is {mode}: readers and writers keep each other waiting",
                "Move the file to a local disk, where SQLite can use a write-ahead log",
            )
        )
    file_system = await in_daemon_thread(partial(file_system_of, path))
    if file_system in NETWORK_FILE_SYSTEMS:
        found.append(
            warning(
                "database.file_system",
                f"{path} lies on a network file system ({file_system}), where SQLite's locks and"
                " shared memory do not hold between machines",
                "Keep it on a local disk, or set DATABASE_URL to a server",
            )
        )
    return found


def file_system_of(path: Path) -> str | None:
    """The type of the file system that holds this path; None where Linux is not."""
    if sys.platform != "linux":
        return None
    return type_in(MOUNTS.read_text(), path.resolve())


def type_in(mounts: str, path: Path) -> str | None:
    """By a table of mounts as Linux writes it: of the longest that hold the path, the last."""
    best, found = -1, None
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        mount = Path(point.encode().decode("unicode_escape"))  # a space is written \040
        if path.is_relative_to(mount) and len(mount.parts) >= best:
            best, found = len(mount.parts), kind
    return found
