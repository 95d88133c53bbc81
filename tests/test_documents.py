"""What README and docs point at is there."""

from pathlib import Path

import pytest

from tests.support.documents import (
    DOCUMENTS,
    ROOT,
    blocks_of,
    files_of,
    known_files,
    links_of,
    read,
)
from tests.support.pictures import pictures

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
HEADINGS = ["Context", "Decision", "Consequences", "Alternatives", "References"]
# The reader writes these, or has them written.
MADE_BY_READER = {
    "production.yaml",
    "myapp/database/invoice.py",
    "tests/modules/invoice/test_invoices.py",
}


def test_there_are_documents_with_commands() -> None:
    assert sum(len(blocks_of(document)) for document in DOCUMENTS) > 5


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
class TestEachDocument:
    def test_its_links_lead_somewhere(self, document: Path) -> None:
        assert [str(target) for target in links_of(document) if not target.exists()] == []

    def test_the_files_that_it_names_exist(self, document: Path) -> None:
        known = known_files()
        missing = {
            name
            for name in files_of(document) - MADE_BY_READER
            if not any(f"/{path}".endswith("/" + name.removeprefix("./")) for path in known)
        }
        assert missing == set()

    def test_no_block_of_commands_is_passed_over_without_a_reason(self, document: Path) -> None:
        """What looks like commands is either run, or says why not."""
        commands = read(document).count("```sh\n")
        assert len(blocks_of(document)) == commands
        assert read(document).count("```bash") == read(document).count("```console") == 0


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_each_decision_has_its_five_headings_and_is_listed(decision: Path) -> None:
    lines = read(decision).splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == HEADINGS
    assert f"]({decision.name})" in read(decision.parent / "README.md")


def test_every_role_and_command_is_in_the_readme() -> None:
    from myapp.cli import cli
    from myapp.enums import Role

    text = read(ROOT / "README.md")
    for name in (*cli.commands, *Role):
        assert f"`myapp {name}" in text or f"`{name}`" in text or f"myapp {name}`" in text, name


@pytest.mark.parametrize("shown", pictures(), ids=lambda path: path.name)
def test_its_pictures_are_those_of_the_dashboard_as_it_is(shown: Path) -> None:
    assert shown.read_bytes() == pictures()[shown].read_bytes(), "make pictures"
    assert f"(docs/pictures/{shown.name})" in read(ROOT / "README.md")
