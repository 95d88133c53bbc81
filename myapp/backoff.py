"""How long to wait before the next try."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with jitter: between half of base * 2^n and all of it, at most cap. Seconds."""

    base: float
    cap: float

    def bounds(self, failures: int) -> tuple[float, float]:
        """The shortest and the longest wait after so many failures in a row, from 1."""
        longest = min(self.cap, self.base * 2.0 ** min(failures - 1, 60))
        return longest / 2, longest

    def delay(self, failures: int) -> float:
        """How long to wait after so many failures in a row, from 1."""
        return random.uniform(*self.bounds(failures))  # noqa: S311  # spreads load, hides nothing
