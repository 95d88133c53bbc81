"""What the documents tell a reader to type, and where they point."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

# A block for a shell. A comment right before it says why it is not run: `<!-- not run: … -->`.
BLOCK = re.compile(r"(?:<!-- not run: (?P<reason>.+?) -->\n)?```sh\n(?P<text>.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
FILE = re.compile(r"`([\w./-]+\.(?:py|lua|md|yaml|tpl))(?:::\w+)?`")


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of a document; `reason` says why they cannot be tried, and is empty if they can."""

    text: str
    reason: str


def blocks_of(document: Path) -> list[Block]:
    return [Block(found["text"], found["reason"] or "") for found in BLOCK.finditer(read(document))]


def links_of(document: Path) -> Iterator[Path]:
    """Where its relative links lead."""
    for target in LINK.findall(read(document)):
        yield document.parent / target


def files_of(document: Path) -> set[str]:
    """The files that it names."""
    return set(FILE.findall(read(document)))


def read(document: Path) -> str:
    return document.read_text()


def known_files() -> list[str]:
    """All files that a document may name, from the root."""
    folders = ("myapp", "tests", "benchmarks", "docs", "chart", "migrations", ".ci")
    inside = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return [str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.*"), *inside)]
