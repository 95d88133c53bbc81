"""HTTP about files and stored objects."""

from contextlib import aclosing
from http import HTTPStatus
from uuid import UUID

from quart import Response, request

from myapp.binding import (
    describe,
    gives,
    gives_bytes,
    gives_nothing,
    gives_page,
    queries,
    refuses,
    takes,
    takes_bytes,
)
from myapp.errors import Conflict, Forbidden, Invalid, UnsupportedMedia
from myapp.middleware.auth import principal
from myapp.modules.file.dtos import (
    DirectUpload,
    FileResponse,
    NewUpload,
    ReadSignature,
    Signature,
    signed_url,
)
from myapp.modules.file.form import find_file, read_form
from myapp.modules.file.sending import send_object
from myapp.modules.file.usecases import (
    FILE_BYTES,
    DirectUploadUsecase,
    FileUsecase,
    Upload,
    UploadUsecase,
)
from myapp.paging import PageQuery
from myapp.response import Page
from myapp.storage.base import Storage
from myapp.storage.signing import UrlSigner

FIELD = "file"
FORM = "multipart/form-data"
FORM_BYTES = 64 * 1024  # what a form may have around the file
FORM_BODY = {
    "type": "object",
    "required": [FIELD],
    "properties": {FIELD: {"type": "string", "format": "binary"}},
}


class FileController:
    """The caller's files."""

    def __init__(self, files: FileUsecase, *, storage: Storage) -> None:
        self._files = files
        self._storage = storage

    @queries(PageQuery)
    @gives_page(FileResponse)
    async def list_files(self, query: PageQuery) -> Page[FileResponse]:
        """Your files, the newest first."""
        found = await self._files.find(principal().user.id, query)
        return Page(
            items=[await FileResponse.of(file, self._storage) for file in found.rows],
            page=query.page,
            per_page=query.per_page,
            total=found.total,
        )

    @gives(FileResponse)
    async def get_file(self, file_id: UUID) -> FileResponse:
        """One of your files."""
        file = await self._files.get(principal().user.id, file_id)
        return await FileResponse.of(file, self._storage)

    @refuses(Conflict)
    @gives_bytes
    async def get_content(self, file_id: UUID) -> Response:
        """The content of one of your files.

        The bytes, with ranges and conditional requests, or a redirect to where they are, which
        knows both too. What a browser could run is sent as an attachment. 409 while the file is
        pending.
        """
        file = await self._files.get_ready(principal().user.id, file_id)
        url = await signed_url(file, self._storage)
        # A URL that storage serves by itself is signed for GET alone.
        if url and not url.startswith("/") and request.method == "GET":
            return Response(b"", HTTPStatus.FOUND, {"Location": url})
        return await send_object(self._storage, file.key, max_age=0, filename=file.filename)

    @gives_nothing
    async def delete_file(self, file_id: UUID) -> None:
        """Delete one of your files, and its content."""
        await self._files.delete(principal().user.id, file_id)


class UploadController:
    """New files of the caller's."""

    def __init__(
        self, upload: UploadUsecase, direct: DirectUploadUsecase, *, storage: Storage
    ) -> None:
        self._upload = upload
        self._direct = direct
        self._storage = storage

    @gives(FileResponse, status=201)
    async def upload_file(self) -> FileResponse:
        """Upload a file.

        A form with the file in its field `file`, of at most 25 MiB. Its type is judged by its
        content; its name is kept without what cannot be shown.
        """
        boundary = request.mimetype_params.get("boundary")
        if request.mimetype != FORM:
            raise UnsupportedMedia(f"Send the file as {FORM}")
        if not boundary:
            raise Invalid("The form has no boundary")
        request.max_content_length = FILE_BYTES + FORM_BYTES
        async with aclosing(read_form(request.body, boundary)) as events:
            found = await find_file(events, FIELD)
            upload = Upload(found.filename, found.content_type, found.chunks)
            file = await self._upload.store(principal().user.id, upload)
        return await FileResponse.of(file, self._storage)

    describe(upload_file, requestBody={"required": True, "content": {FORM: {"schema": FORM_BODY}}})

    @takes(NewUpload)
    @gives(DirectUpload, status=201)
    async def begin_upload(self, new: NewUpload) -> DirectUpload:
        """Announce a file that you send to storage yourself.

        The answer has the request to send it with: exactly so many bytes, of this type, within an
        hour. Then complete the file. At most 25 MiB.
        """
        file, signed = await self._direct.begin(principal().user.id, new)
        return await DirectUpload.of(file, signed, self._storage)

    @refuses(Conflict)
    @gives(FileResponse)
    async def complete_upload(self, file_id: UUID) -> FileResponse:
        """Complete a file that you have sent to storage.

        409 when nothing has come yet, or when size or content are not what was announced. A file
        that is complete stays as it is.
        """
        file = await self._direct.complete(principal().user.id, file_id)
        return await FileResponse.of(file, self._storage)


class StorageController:
    """Signed access to local storage."""

    def __init__(self, *, storage: Storage, signer: UrlSigner) -> None:
        self._storage = storage
        self._signer = signer

    @refuses(Forbidden)
    @gives_bytes
    @queries(ReadSignature)
    async def get_object(self, query: ReadSignature, *, key: str) -> Response:
        """Read a stored object by its signed URL.

        Takes conditional requests and ranges. The URL is an `avatar_url` or the like, and needs
        no credentials until it expires.
        """
        max_age = self._signer.check(
            key, expires=query.expires, signature=query.signature, filename=query.filename
        )
        return await send_object(self._storage, key, max_age=max_age, filename=query.filename)

    @refuses(Forbidden)
    @takes_bytes
    @queries(Signature)
    @gives_nothing
    async def put_object(self, query: Signature, *, key: str) -> None:
        """Store an object by its signed URL.

        The URL comes from an announced upload, and holds for its type and its exact size alone.
        """
        content_type, size = request.headers.get("Content-Type", ""), request.content_length
        self._signer.check_upload(
            key,
            expires=query.expires,
            signature=query.signature,
            content_type=content_type,
            size=size,
        )
        request.max_content_length = size
        await self._storage.put(key, request.body, content_type=content_type)
