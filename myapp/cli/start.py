"""How a command begins."""

from typing import Any

from myapp.config import Settings, load_settings
from myapp.logger import configure_logging


def load(flags: dict[str, Any]) -> Settings:
    """The settings, with a log that speaks up only when something is wrong.

    What a command is asked for goes to standard output, and that alone.
    """
    settings = load_settings(**flags)
    configure_logging("warning" if settings.log_level == "info" else settings.log_level, "console")
    return settings
