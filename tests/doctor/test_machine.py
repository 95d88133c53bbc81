"""Disks, open files and the permissions of secrets."""

import resource
from pathlib import Path

import pytest
from pydantic import SecretStr

from myapp.doctor.findings import Status
from myapp.doctor.machine import folders_of, judge_disks, judge_file_limit
from myapp.doctor.permissions import look_at_permissions
from tests.doctor.conftest import MakeSettings


class TestDisks:
    def test_folders_on_one_disk_are_one_finding(self, tmp_path: Path) -> None:
        found = judge_disks([tmp_path / "not" / "there", tmp_path, tmp_path / "neither"])
        assert len(found) == 1
        assert str(tmp_path) in found[0].message

    def test_only_what_is_kept_here_counts(self, make_settings: MakeSettings) -> None:
        elsewhere = make_settings(
            database_url=SecretStr("postgres://db/app"),
            redis_url=SecretStr("redis://cache"),
            storage_url="s3://bucket/prefix",
        )
        assert list(folders_of(elsewhere)) == []
        assert judge_disks([])[0].status is Status.OK
        assert len(set(folders_of(make_settings()))) == 2


@pytest.mark.parametrize(
    ("soft", "hard", "status", "says"),
    [
        (20_000, 20_000, Status.OK, "20,000"),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, Status.OK, "without limit"),
        (1024, 1_048_576, Status.WARNING, "524 streams"),
        (256, 4096, Status.WARNING, "0 streams"),
    ],
)
def test_open_files_are_weighed_against_streams(
    soft: int, hard: int, status: Status, says: str
) -> None:
    found = judge_file_limit(soft, hard)
    assert found.status is status
    assert says in found.message
    assert ("hard limit" in (found.advice or "")) == (hard == 4096)


class TestPermissions:
    async def test_a_secret_that_everybody_reads_fails(self, make_settings: MakeSettings) -> None:
        settings = make_settings()
        settings.data_dir.mkdir(mode=0o700)
        settings.secret_key_file.touch(mode=0o600)
        settings.identity_key_file.touch(mode=0o600)
        (good,) = await look_at_permissions(settings)
        settings.secret_key_file.chmod(0o644)
        settings.identity_key_file.chmod(0o640)
        bad, group = await look_at_permissions(settings)
        assert [each.status for each in (good, bad, group)] == [
            Status.OK,
            Status.FAILED,
            Status.WARNING,
        ]
        assert bad.advice == f"chmod 600 {settings.secret_key_file}"

    async def test_what_a_platform_mounts_is_a_warning(
        self, make_settings: MakeSettings, tmp_path: Path
    ) -> None:
        mounted = tmp_path / "key.json"
        mounted.write_text('{"type": "service_account"}')
        mounted.chmod(0o644)
        (found,) = await look_at_permissions(make_settings(firebase_credentials=str(mounted)))
        assert found.status is Status.WARNING
        assert str(mounted) in found.message
