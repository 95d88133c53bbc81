"""Moments that come from outside."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def to_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for one that has no year there, from 1 to 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is too far away") from None


# With an offset, which pydantic checks no further: whoever stores it turns it into UTC.
Moment = Annotated[AwareDatetime, AfterValidator(to_utc)]
