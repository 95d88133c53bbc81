"""The last values of a number as a line of bars."""

from collections.abc import Sequence

BARS = " ▁▂▃▄▅▆▇█"
EIGHTHS = len(BARS) - 1
GAP = "·"  # nothing is known of that time


def bars(
    values: Sequence[float | None], width: int, *, height: int = 1, most: float = 0.0
) -> list[str]:
    """So many lines, the top one first; the last value stands at the right.

    A bar of full height is the greatest value that is shown, or `most` if that is greater. What is
    above 0 is never drawn as 0.
    """
    shown = values[-width:]
    top = max(most, *(value or 0.0 for value in shown)) if shown else most
    top = top or 1.0
    lines = [""] * height
    for value in shown:
        filled = 0 if not value else max(round(value / top * height * EIGHTHS), 1)
        for line in range(height):
            bottom = (height - 1 - line) * EIGHTHS
            missing = value is None and bottom == 0
            lines[line] += GAP if missing else BARS[min(max(filled - bottom, 0), EIGHTHS)]
    return [line.rjust(width) for line in lines]
