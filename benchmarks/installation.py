"""The program in a folder of its own, on its embedded default, and what its processes take."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.program import Program, environment, run_program, running_program


class Installation:
    """Processes of one installation, in a folder of their own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        """`variables` are settings, beyond a data folder and free ports."""
        self.folder = folder
        self.env = environment(folder / "data", **variables)

    def tokens(self, count: int) -> list[str]:
        """Identity tokens of so many users, who are created when they first ask."""
        return self.run("token", *(f"user{number}@example.com" for number in range(count))).split()

    def key(self, *scopes: str) -> str:
        options = [option for scope in scopes for option in ("--scope", scope)]
        return self.run("apikey", "create", "benchmark", *options).strip()

    def run(self, *arguments: str) -> str:
        """The output of a command. A failure ends the measurement."""
        done = run_program(*arguments, env=self.env, cwd=self.folder)
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    @contextmanager
    def serving(self, *arguments: str, **variables: str) -> Iterator[Program]:
        """The program with these arguments, ready; `--role=api` where there are none."""
        env = {**self.env, **variables}
        with running_program(*(arguments or ("--role=api",)), env=env, cwd=self.folder) as program:
            program.wait_for("ready")
            yield program
            if status := program.stop():
                raise SystemExit(f"The program ended with status {status}")


@contextmanager
def new_installation(**variables: str) -> Iterator[Installation]:
    """One in a new folder, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="myapp-", ignore_cleanup_errors=True) as folder:
        yield Installation(Path(folder), **variables)


def memory_mib(pid: int) -> float:
    """The memory that a process has in use: what `ps` calls RSS."""
    output = subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])
    return int(output) / 1024


def cpu_seconds(pid: int) -> float:
    """What a process and its children have had of the processors since their start. Linux."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    user, system = stat.rpartition(")")[2].split()[11:13]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(int(child)) for child in children)
