"""`myapp doctor`: looks at everything the program needs, and says what is and what to do.

It changes nothing, but for a probe that it writes and removes, and it makes nothing that is not
there: on a folder that no program has run in, it says so.
"""

from myapp.doctor.checkup import check_up
from myapp.doctor.findings import Finding, Status, worst

__all__ = ["Finding", "Status", "check_up", "worst"]
