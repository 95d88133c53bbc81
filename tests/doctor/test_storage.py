"""Storage as doctor sees it."""

from pathlib import Path

import pytest

from myapp.doctor.findings import Status
from myapp.doctor.storage import look_at_storage
from myapp.errors import Unavailable
from tests.doctor.conftest import MakeSettings, paths_below
from tests.support.buckets import access, scratch_place
from tests.support.seaweed import Seaweed


async def test_a_folder_is_tried_and_left_as_it_was(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    (found,) = await look_at_storage(make_settings(storage_url=f"file://{tmp_path}/files"))
    assert found.status is Status.OK
    assert not any(map(Path.is_file, paths_below(tmp_path)))


async def test_a_folder_that_is_not_there_is_not_made(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    (found,) = await look_at_storage(make_settings())
    assert found.status is Status.OK
    assert paths_below(tmp_path) == []


@pytest.mark.xdist_group("seaweed")
class TestBucket:
    async def test_is_tried_and_left_as_it_was(
        self, make_settings: MakeSettings, seaweed: Seaweed
    ) -> None:
        async with scratch_place(seaweed) as place:
            (found,) = await look_at_storage(make_settings(**place.settings))
            assert found.status is Status.OK
            assert await place.names() == []

    async def test_that_lets_nobody_in_raises_the_stores_word(
        self, make_settings: MakeSettings, seaweed: Seaweed
    ) -> None:
        wrong = {**access(seaweed.url), "aws_secret_access_key": "wrong"}
        settings = make_settings(storage_url="s3://test-bucket", **wrong)
        with pytest.raises(Unavailable) as caught:
            await look_at_storage(settings)
        assert "SignatureDoesNotMatch" in str(caught.value.__cause__)
