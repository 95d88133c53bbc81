"""The program's own event loop, for tests."""

import warnings

import uvloop


class Loop(uvloop.Loop):
    """Warns of what was left open when all of it is closed.

    By itself uvloop warns first. Where that is an error, as in tests, it then closes nothing and
    waits for it for ever, out of reach of a test's timeout.
    """

    def close(self) -> None:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            super().close()
        for each in told:
            warnings.warn(each.message, each.category, stacklevel=2)
