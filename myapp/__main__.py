"""The one entry point: `myapp` and `python -m myapp`."""

import sys

from myapp.cli import run_command_line


def main() -> None:
    """Runs the command line and exits with its status."""
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
