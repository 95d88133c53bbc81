"""Load on an HTTP server, by wrk."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

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
# Every request is written before the first is sent.
TURNS = """
local requests, last = {}, 0
init = function()
  for _, headers in ipairs(turns) do
    table.insert(requests, wrk.format(nil, nil, headers))
  end
end
request = function()
  last = last % #requests + 1
  return requests[last]
end
"""
# No two requests are the same.
FRESH = """
local count = 0
request = function()
  count = count + 1
  wrk.headers[unique] = run .. "-" .. count
  return wrk.format(nil, nil, nil, bodies[count % #bodies + 1])
end
"""


class LoadError(SystemExit):
    """Ends the measurement: the load could not be made, or was not answered as it should be."""


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
    seconds: int,
    connections: int,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    turns: Sequence[Mapping[str, str]] = (),
    unique: str | None = None,
    bodies: Sequence[str] = (),
) -> Load:
    """Asks as fast as the server answers, one request at a time on each connection.

    `turns` are further headers, of which each request takes the next. Or `unique` names a header
    whose value no request shares with another, and each takes the next of `bodies`.
    One thread makes the load. Raises LoadError where wrk is not installed, and where one request
    was refused (a status of 400 or more) or its connection broke.
    """
    if shutil.which("wrk") is None:
        raise LoadError("wrk makes the load: install it (apt-get install wrk, brew install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "load.lua"
        text = make_script(method, headers or {}, body, turns)
        script.write_text(text + make_fresh(unique, bodies) if unique else text)
        amount = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout=30s"]
        command = ["wrk", *amount, "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(done.stderr or done.stdout)
    return read_load(done.stdout)


def make_script(
    method: str,
    headers: Mapping[str, str],
    body: str | None,
    turns: Sequence[Mapping[str, str]] = (),
) -> str:
    """The request in Lua, whose text literals are near enough to JSON's."""
    lines = [f"wrk.method = {json.dumps(method)}", f"wrk.headers = {make_table(headers)}"]
    lines += [f"wrk.body = {json.dumps(body)}"] if body is not None else []
    if turns:
        tables = ", ".join(make_table({**headers, **turn}) for turn in turns)
        lines += [f"local turns = {{{tables}}}", TURNS]
    return "\n".join([*lines, SUMMARY])


def make_fresh(unique: str, bodies: Sequence[str]) -> str:
    texts = ", ".join(map(json.dumps, bodies))
    names = f"local unique, run = {json.dumps(unique)}, {json.dumps(str(uuid4()))}"
    return "\n".join(["", names, f"local bodies = {{{texts}}}", FRESH])


def make_table(texts: Mapping[str, str]) -> str:
    fields = (f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in texts.items())
    return "{" + ", ".join(fields) + "}"


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
