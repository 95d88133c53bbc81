"""Files, and stored objects on their way to whoever holds a signed URL."""

from dataclasses import dataclass

from myapp.module import Module
from myapp.modules.file.removal import Removal
from myapp.modules.file.tasks import OBJECT_REMOVE
from myapp.modules.file.usecases import DirectUploadUsecase, FileUsecase, UploadUsecase
from myapp.resources import STORAGE_URLS, Resources
from myapp.secrets import derive_key
from myapp.storage.base import Storage
from myapp.storage.signing import UrlSigner


@dataclass(frozen=True, kw_only=True)
class FileModule(Module):
    files: FileUsecase
    upload: UploadUsecase
    direct: DirectUploadUsecase
    storage: Storage
    signer: UrlSigner


def init(resources: Resources) -> FileModule:
    """Builds the usecases of files; the hourly clean-up removes what nobody points at."""
    outbox, storage = resources.outbox, resources.storage
    removal = Removal(storage)
    return FileModule(
        files=FileUsecase(outbox=outbox, removal=removal),
        upload=UploadUsecase(outbox=outbox, removal=removal, storage=storage),
        direct=DirectUploadUsecase(outbox=outbox, removal=removal, storage=storage),
        storage=storage,
        signer=UrlSigner(derive_key(resources.secret, STORAGE_URLS)),
        tasks=((OBJECT_REMOVE, removal.handle),),
        cleanups={
            "files": removal.forget_files,
            "objects": removal.remove_due,
            "uploads": storage.sweep,
        },
    )
