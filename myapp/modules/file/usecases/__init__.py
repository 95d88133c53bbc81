"""What can be done with files."""

from myapp.modules.file.usecases.direct import DirectUploadUsecase
from myapp.modules.file.usecases.files import FileUsecase
from myapp.modules.file.usecases.upload import FILE_BYTES, Upload, UploadUsecase

__all__ = ["FILE_BYTES", "DirectUploadUsecase", "FileUsecase", "Upload", "UploadUsecase"]
