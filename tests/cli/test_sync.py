"""`myapp sync`."""

from tests.cli.conftest import MyApp


def test_says_that_the_local_provider_has_no_list(myapp: MyApp) -> None:
    done = myapp("sync")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "myapp: The local identity provider keeps no list of users\n"
