"""What goes over the wire about files."""

from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from myapp.database.file import File, FileStatus
from myapp.storage.base import SignedRequest, Storage, check_content_type

URL_LIFETIME = timedelta(hours=1)
NAME_CHARACTERS = 1000  # more than any system has; what is kept of it is shorter


class Signature(BaseModel):
    """What a signed URL carries; it comes with the URL and is not to be made up."""

    expires: Annotated[str, Field(description="Unix time, in seconds.")] = ""
    signature: str = ""


class ReadSignature(Signature):
    """The same of a URL to read; it may name a file."""

    filename: Annotated[str, Field(description="What a browser saves it as.")] = ""


class FileResponse(BaseModel):
    """A file, as its owner sees it."""

    id: UUID
    filename: Annotated[str, Field(examples=["report.pdf"])]
    content_type: Annotated[str, Field(examples=["application/pdf"])]
    size: Annotated[int, Field(description="In bytes.", examples=[48213])]
    sha256: Annotated[
        str | None,
        Field(description="In hexadecimal; null for what was sent past us.", examples=[64 * "0"]),
    ]
    status: FileStatus
    url: Annotated[
        str | None,
        Field(
            description="Opens without credentials; expires. Null while pending.",
            examples=["/storage/files/…?expires=1767225600&signature=…"],
        ),
    ]
    created_at: datetime

    @classmethod
    async def of(cls, file: File, storage: Storage) -> Self:
        return cls.model_construct(
            id=file.id,
            filename=file.filename,
            content_type=file.content_type,
            size=file.size,
            sha256=file.sha256,
            status=file.status,
            url=await signed_url(file, storage),
            created_at=file.created_at,
        )


async def signed_url(file: File, storage: Storage) -> str | None:
    if file.status is not FileStatus.READY:
        return None
    return await storage.url(
        file.key,
        expires_in=URL_LIFETIME,
        filename=file.filename,
        content_type=file.content_type,
    )


def lower_content_type(value: str) -> str:
    """Raises ValueError, which says what is wrong with it."""
    try:
        return check_content_type(value.strip().lower())
    except ValueError:
        raise ValueError("is no content type, such as application/pdf") from None


class NewUpload(BaseModel):
    """A file that is to be sent to storage."""

    model_config = ConfigDict(extra="forbid", strict=True)

    filename: Annotated[
        str, Field(min_length=1, max_length=NAME_CHARACTERS, examples=["report.pdf"])
    ]
    content_type: Annotated[
        str, Field(examples=["application/pdf"]), AfterValidator(lower_content_type)
    ]
    size: Annotated[int, Field(ge=0, description="In bytes, exactly.", examples=[48213])]


class UploadRequest(BaseModel):
    """The request that sends the bytes, to be made just so. It needs no other credentials."""

    method: Annotated[str, Field(examples=["PUT"])]
    url: Annotated[
        str,
        Field(
            description="Relative to this API where it begins with a slash.",
            examples=["/storage/uploads/…?expires=1767225600&signature=…"],
        ),
    ]
    headers: Annotated[dict[str, str], Field(examples=[{"Content-Type": "application/pdf"}])]


class DirectUpload(BaseModel):
    """A pending file, and how to send it."""

    file: FileResponse
    upload: UploadRequest

    @classmethod
    async def of(cls, file: File, request: SignedRequest, storage: Storage) -> Self:
        upload = UploadRequest(method=request.method, url=request.url, headers=request.headers)
        return cls.model_construct(file=await FileResponse.of(file, storage), upload=upload)
