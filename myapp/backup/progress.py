"""How a long job tells how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Told from the thread that does the work. What it raises ends the work, which cleans up."""

    def begin(self, what: str, size: int) -> None:
        """A part of so many bytes begins; the one before it has ended."""

    def advance(self, size: int) -> None:
        """So many more bytes are done."""
