"""Why a feature cannot be made."""


class Refused(Exception):
    """A name that is unfit or taken, or a place where nothing can be written; one line says why."""
