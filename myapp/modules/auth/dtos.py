"""What goes over the wire at sign-in."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class VerifyToken(BaseModel):
    """An identity token to verify."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: Annotated[
        str, Field(description="From Firebase, or from `myapp token`.", examples=["eyJhbGciOi…"])
    ]
