"""The pictures of the README are those that the tests drew: run as a module, this copies them."""

import shutil
from pathlib import Path

from tests.support.documents import ROOT

DRAWN = ROOT / "tests" / "tui" / "__snapshots__"
SHOWN = ROOT / "docs" / "pictures"
WIDE = "[(120, 40)].svg"
SOURCES = {
    "overview": f"test_pictures_of_overview/TestOverview.test_tiles_and_processes{WIDE}",
    "jobs": f"test_pictures_of_jobs/TestJobs.test_list{WIDE}",
    "users": f"test_pictures_of_users/TestUsers.test_detail{WIDE}",
    "events": f"test_pictures_of_events/TestEvents.test_list{WIDE}",
    "question": f"test_pictures_of_users/TestUsers.test_question{WIDE}",
}


def pictures() -> dict[Path, Path]:
    """Each picture of the README, and the one that the tests drew."""
    return {SHOWN / f"{name}.svg": DRAWN / source for name, source in SOURCES.items()}


if __name__ == "__main__":
    for shown, drawn in pictures().items():
        shutil.copyfile(drawn, shown)
