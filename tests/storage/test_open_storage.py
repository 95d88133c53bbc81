from pathlib import Path

import pytest

from myapp.config import ConfigError, Settings, load_settings
from myapp.storage import open_storage


def settings(data_dir: Path, storage_url: str | None = None) -> Settings:
    return Settings(data_dir=data_dir, storage_url=storage_url)


async def test_files_are_kept_in_the_data_folder(tmp_path: Path) -> None:
    async with open_storage(settings(tmp_path), signing_key=b"key") as storage:
        await storage.check()
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700


async def test_storage_url_names_another_folder(tmp_path: Path) -> None:
    chosen = settings(tmp_path, f"file://{tmp_path}/other%20place/files")
    async with open_storage(chosen, signing_key=b"key") as storage:
        await storage.check()
    assert (tmp_path / "other place" / "files" / "incoming").is_dir()
    assert not (tmp_path / "files").exists()


async def test_a_folder_that_cannot_be_made_is_named_by_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="DATA_DIR"):
        async with open_storage(settings(tmp_path / "file"), signing_key=b"key"):
            pass
    with pytest.raises(ConfigError, match="STORAGE_URL"):
        async with open_storage(
            settings(tmp_path, f"file://{tmp_path}/file/files"), signing_key=b"key"
        ):
            pass


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"storage_url": "s3://"}, "STORAGE_URL"),
        ({"storage_url": "s3://Bucket"}, "STORAGE_URL"),
        ({"storage_url": "s3://key:secret@bucket"}, "STORAGE_URL"),
        ({"storage_url": "s3://bucket//prefix"}, "STORAGE_URL"),
        ({"storage_url": "s3://bucket/a?b"}, "STORAGE_URL"),
        ({"storage_url": "https://bucket"}, "STORAGE_URL"),
        ({"s3_endpoint_url": "storage.example.com"}, "S3_ENDPOINT_URL"),
        ({"aws_access_key_id": "key"}, "AWS_SECRET_ACCESS_KEY"),
        ({"aws_secret_access_key": "secret"}, "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_bucket_that_cannot_be_is_refused_at_once(
    variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=f"^{named}") as refusal:
        load_settings(**variables)
    assert "secret" not in str(refusal.value)
