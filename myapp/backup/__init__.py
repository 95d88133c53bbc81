"""`myapp backup` and `myapp restore`: the embedded data folder, in one file.

What is taken, and from which moment. SQLite's write lock is held for a moment (some
milliseconds), so that no process commits anything. In that moment

1. objects that came since a first round are linked too,
2. the embedded server forks for its dump,
3. a reader of the database begins, and keeps seeing this moment.

Then the lock is given back, and all three are read at leisure. The order of things elsewhere makes
the three fit together:

- An object is stored before the row that points at it is committed, and removed after the row is:
  every object that the copy of the database points at was there in that moment.
- The relay hands an outbox row to the queue before it removes the row: what the copy no longer has
  is in the dump. What both have is refused the second time, as after any crash of a relay.
- A job ends in the queue after its effects are committed: one whose effects the copy lacks has not
  ended in the dump, and runs again. Handlers are idempotent.

So a restored folder is what a crash in that moment would have left: nothing that was acknowledged
before is missing, and what was under way happens again. A dump before the database's copy would
lose rows that were handed on in between; one after it would hold jobs as done whose effects the
copy lacks.
"""

from myapp.backup.coverage import check_coverage
from myapp.backup.progress import Progress
from myapp.backup.restoring import restore
from myapp.backup.saving import save

__all__ = ["Progress", "check_coverage", "restore", "save"]
