"""The routes of files and stored objects."""

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.middleware.auth import Auth
from myapp.middleware.rate_limit import limit_uploads
from myapp.modules.file import FileModule
from myapp.modules.file.controllers import FileController, StorageController, UploadController


def routes(module: FileModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("file", __name__)
    tag_routes(blueprint, "files", "Stored objects, by signed URLs.")
    files = FileController(module.files, storage=module.storage)
    upload = UploadController(module.upload, module.direct, storage=module.storage)
    stored = StorageController(storage=module.storage, signer=module.signer)

    blueprint.post("/files")(auth.required(limit_uploads(upload.upload_file)))
    blueprint.post("/files/uploads")(auth.required(limit_uploads(upload.begin_upload)))
    blueprint.post("/files/<uuid:file_id>/complete")(auth.required(upload.complete_upload))
    blueprint.get("/files")(auth.required(files.list_files))
    blueprint.get("/files/<uuid:file_id>")(auth.required(files.get_file))
    blueprint.get("/files/<uuid:file_id>/content")(auth.required(files.get_content))
    blueprint.delete("/files/<uuid:file_id>")(auth.required(files.delete_file))

    blueprint.get("/storage/<path:key>")(stored.get_object)
    blueprint.put("/storage/<path:key>")(stored.put_object)
    return blueprint
