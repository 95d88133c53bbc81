"""Load on an HTTP server, by wrk."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MARK = "measured:"
# What wrk counted, as one line of JSON. Times are in microseconds.
SUMMARY = f"""
done = function(summary, latency, requests)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{MARK}{{"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, ',
    summary.requests, summary.duration, errors.status, broken))
  io.write(string.format(
    '"p50": %d, "p99": %d}}\\n', latency:percentile(50), latency:percentile(99)))
end
"""


class LoadError(Exception):
    """The load could not be made, or was not answered as it should be."""


@dataclass(frozen=True)
class Load:
    """Requests a second, and how long one took, in milliseconds."""

    requests: int
    rate: float
    p50: float
    p99: float

    @property
    def quantities(self) -> dict[str, float]:
        return {"requests/s": self.rate, "p50 ms": self.p50, "p99 ms": self.p99}


def run_load(
    url: str,
    *,
    seconds: float,
    connections: int,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
) -> Load:
    """Asks as fast as the server answers, one request at a time on each connection.

    One thread makes the load. Raises LoadError where wrk is not installed, and where one request
    was refused (a status of 400 or more) or its connection broke.
    """
    if shutil.which("wrk") is None:
        raise LoadError("wrk makes the load: install it (apt-get install wrk, brew install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "load.lua"
        script.write_text(make_script(method, headers or {}, body))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(done.stderr or done.stdout)
    return read_load(done.stdout)


def make_script(method: str, headers: Mapping[str, str], body: str | None) -> str:
    """The request in Lua, whose text literals are near enough to JSON's."""
    lines = [f"wrk.method = {json.dumps(method)}"]
    lines += [f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in headers.items()]
    lines += [f"wrk.body = {json.dumps(body)}"] if body is not None else []
    return "\n".join([*lines, SUMMARY])


def read_load(output: str) -> Load:
    """What wrk counted. Raises LoadError unless every request was answered well."""
    _, found, rest = output.partition(MARK)
    if not found:
        raise LoadError(f"wrk counted nothing: {output}")
    counted = json.loads(rest.partition("\n")[0])
    if counted["refused"] or counted["broken"] or not counted["requests"]:
        raise LoadError(
            f"{counted['refused']} of {counted['requests']} requests were refused, "
            f"and {counted['broken']} connections broke"
        )
    return Load(
        requests=counted["requests"],
        rate=counted["requests"] / counted["microseconds"] * 1e6,
        p50=counted["p50"] / 1000,
        p99=counted["p99"] / 1000,
    )
