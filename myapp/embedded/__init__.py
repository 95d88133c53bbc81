"""The embedded Redis-compatible server: one per data folder, shared by every process on it.

Each user holds a shared lock on a file in the folder; a watcher waits for the exclusive one and
then stops the server. The kernel gives a killed process's lock back, so the server ends with its
last user however that one ended.
"""

from myapp.embedded.server import embedded_server

__all__ = ["embedded_server"]
