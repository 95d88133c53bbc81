"""Pages of a list: what may be asked for."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from myapp.faults import Fits

MAX_PAGE = 1_000_000_000  # its offset is still a number that every database takes
MAX_PER_PAGE = 100
# What is searched for has none of them, and PostgreSQL has no text with NUL.
PRINTABLE = Fits(pattern=r"^[^\x00-\x1f\x7f]*$", otherwise="has control characters or line breaks")


class PageQuery(BaseModel):
    """The parameters of every list; a feature's own list adds its filters.

    A parameter that is empty counts as left out, as forms send it.
    """

    model_config = ConfigDict(extra="forbid")

    page: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 1
    per_page: Annotated[int, Field(ge=1, le=MAX_PER_PAGE)] = 20

    @model_validator(mode="before")
    @classmethod
    def leave_out_what_is_empty(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value != ""}
