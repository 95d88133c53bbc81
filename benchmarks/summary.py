"""Writes the table of all targets into the READMEs, from what the measurements left in results/.

python -m benchmarks.summary
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, Grid, Target, markdown_rows

ROOT = Path(__file__).parents[1]
READMES = (ROOT / "README.md", ROOT / "benchmarks" / "README.md")
BEGIN, END = "<!-- measured: by benchmarks/summary.py -->", "<!-- end of measured -->"
FIELDS = ("text", "measured", "at_least", "at_most", "unit")


def main() -> None:
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    if not results:
        raise SystemExit("Nothing was measured yet: make bench")
    for path in READMES:
        path.write_text(insert(path.read_text(), "\n".join(lines_of(results))))


def lines_of(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        [*Target(**{field: target[field] for field in FIELDS}).row, f"`{result['command']}`"]
        for result in results
        for target in result["targets"]
    ]
    yield from markdown_rows(Grid("", ["target", "wanted", "measured", "met", "command"], rows))
    yield ""
    for machine in dict.fromkeys(name_machine(result) for result in results):
        yield f"On {machine}."


def name_machine(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB, "
        f"{machine['kernel']}, Python {machine['python']}"
    )


def insert(text: str, table: str) -> str:
    """The text with the table between its two marks. Raises ValueError where one is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"There is no {BEGIN} with {END} after it")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    main()
