"""Commands in processes that have the libraries in memory already.

Half a second of what a command takes is the import of what others wrote, and the tests run some two
hundred. Python's fork server does that once. Our own modules each command imports anew, as ever, so
that none finds there what another one has left.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory

LIBRARIES = [
    *("click", "cryptography.x509", "jwt", "phonenumbers", "prometheus_client"),
    *("pydantic_settings", "quart_schema", "redis.asyncio", "rich.table", "saq", "structlog"),
    *("tortoise.backends.sqlite", "uvloop"),
]

_context = get_context("forkserver")
_context.set_forkserver_preload(LIBRARIES)


def run_warm(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, seconds: float
) -> CompletedProcess[str]:
    """What `python -m myapp` with these arguments says and returns. Raises TimeoutExpired.

    Not for what looks at its standard input: the fork server has closed that.
    """
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = _context.Process(
            target=_run, args=(list(arguments), dict(env), cwd, output, errors)
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(list(arguments), seconds, output.read_text(), errors.read_text())
        return CompletedProcess(
            list(arguments), process.exitcode, output.read_text(), errors.read_text()
        )


def _run(arguments: list[str], env: dict[str, str], cwd: Path, output: Path, errors: Path) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for stream, file in ((sys.stdout, output), (sys.stderr, errors)):
        with file.open("ab") as opened:
            os.dup2(opened.fileno(), stream.fileno())
    from myapp.cli import run_command_line

    sys.exit(run_command_line(arguments))
