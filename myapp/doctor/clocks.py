"""Whether this machine and another one agree on the time."""

import time
from collections.abc import Awaitable, Callable

from myapp.doctor.findings import Finding, failed, ok, warning
from myapp.identity.base import CLOCK_SKEW_SECONDS

# A clock that something sets is right to some tens of milliseconds; one that is off by this much
# runs free, and drifts on.
FREE_RUNNING_SECONDS = 1.0

ADVICE = "Have NTP (chrony, systemd-timesyncd) set the clocks of all machines"


async def compare(name: str, *, whose: str, read: Callable[[], Awaitable[float]]) -> Finding:
    """Compares our clock with the one that `read` gives, in Unix seconds.

    Past CLOCK_SKEW_SECONDS sign-ins fail: a token, or what another process has remembered of
    one, is refused when it comes from further in the future than that.
    """
    before = time.time()
    theirs = await read()
    after = time.time()
    # The other clock was read some time in between, so that much is no difference.
    skew = max(before - theirs, theirs - after, 0.0)
    if skew > CLOCK_SKEW_SECONDS:
        message = (
            f"The clock of {whose} differs by {skew:.1f} s from this machine's: past"
            f" {CLOCK_SKEW_SECONDS} s tokens are refused as coming from the future"
        )
        return failed(name, message, ADVICE)
    if skew > FREE_RUNNING_SECONDS:
        message = f"The clock of {whose} differs by {skew:.1f} s from this machine's"
        return warning(name, message, ADVICE)
    return ok(name, f"The clock of {whose} agrees with this machine's")
