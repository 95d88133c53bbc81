"""The data folder as a whole."""

from pathlib import Path

from myapp.errors import ConfigError

RESTORING = ".restoring"  # in a folder that a restore fills, until it has filled it


def refuse_half_restored(data_dir: Path) -> None:
    """Raises ConfigError where a restore was cut off or is still at work, or none can look."""
    try:
        half = (data_dir / RESTORING).exists()
    except OSError as error:  # too long a name, or a folder above it that is closed to us
        raise ConfigError(f"DATA_DIR: {data_dir} cannot be used: {error.strerror}") from None
    if half:
        raise ConfigError(f"DATA_DIR: a restore into {data_dir} has not ended: run it again")
