import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from myapp.config import ConfigError, Settings
from myapp.database.url import Target, parse_target, parse_url
from tests.support.databases import settings_for


def parse(url: str) -> Target:
    return parse_target(settings_for(url))


class TestSqlite:
    def test_without_a_url_it_is_a_file_in_the_data_folder(self, tmp_path: Path) -> None:
        settings = Settings(_env_file=None, data_dir=tmp_path, database_url=None)  # type: ignore[call-arg]  # pydantic's own
        target = parse_target(settings)
        assert target.dialect == "sqlite"
        assert target.credentials["file_path"] == str(tmp_path / "app.db")

    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("sqlite:///srv/data/app.db", "/srv/data/app.db"),
            ("sqlite:///srv/my%20data/app.db", "/srv/my data/app.db"),
            ("sqlite://app.db", str(Path.cwd() / "app.db")),
            ("sqlite://data/App.db", str(Path.cwd() / "data/App.db")),
        ],
    )
    def test_two_slashes_are_relative_and_three_absolute(self, url: str, path: str) -> None:
        assert parse(url).credentials["file_path"] == path


class TestServers:
    def test_every_part_is_read_and_decoded(self) -> None:
        target = parse("postgresql://us%40er:p%40ss%2Fw%3Ard%25@db.example.com:6543/my%2Ddb")
        assert target.dialect == "postgres"
        wanted = ("us@er", "p@ss/w:rd%", "db.example.com", 6543, "my-db")
        names = ("user", "password", "host", "port", "database")
        assert tuple(target.credentials[name] for name in names) == wanted

    @pytest.mark.parametrize(("url", "port"), [("postgres://h/d", 5432), ("mysql://u@h/d", 3306)])
    def test_the_port_has_a_default(self, url: str, port: int) -> None:
        assert parse(url).credentials["port"] == port

    def test_an_address_of_version_6_is_a_host(self) -> None:
        assert parse("postgres://u@[::1]:5433/d").credentials["host"] == "::1"

    def test_the_pool_has_a_size(self) -> None:
        assert parse("mysql://u@h/d").credentials["maxsize"] == 10
        assert parse("mysql://u@h/d?pool_size=3").credentials["maxsize"] == 3

    @pytest.mark.parametrize("url", ["postgres://h/d", "mysql://u@h/d"])
    def test_migrations_have_a_connection_besides_that_of_the_lock(self, url: str) -> None:
        smallest = parse_url(f"{url}?pool_size=1")
        assert smallest.credentials["maxsize"] == 1
        assert smallest.for_migrations().credentials["maxsize"] == 2
        larger = parse_url(f"{url}?pool_size=3").for_migrations()
        assert larger.credentials["maxsize"] == 3

    def test_the_password_is_in_no_representation(self) -> None:
        assert "hunter2" not in repr(parse("postgres://u:hunter2@h/d"))


class TestTls:
    def test_postgres_encrypts_if_it_can_unless_told(self) -> None:
        assert parse("postgres://h/d").credentials["ssl"] == "prefer"
        assert parse("postgres://h/d?sslmode=disable").credentials["ssl"] == "disable"
        assert parse("postgres://h/d?ssl=true").credentials["ssl"] == "require"

    @pytest.mark.parametrize(
        "url", ["postgres://h/d?sslmode=verify-full", "mysql://u@h/d?ssl-mode=VERIFY_IDENTITY"]
    )
    def test_a_name_is_verified_on_demand(self, url: str) -> None:
        context = parse(url).credentials["ssl"]
        assert isinstance(context, ssl.SSLContext)
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)

    def test_mysql_requires_encryption_without_a_certificate_to_check(self) -> None:
        context = parse("mysql://u@h/d?ssl_mode=REQUIRED").credentials["ssl"]
        assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_NONE)
        assert parse("mysql://u@h/d").credentials["ssl"] is None

    def test_an_authority_is_never_ignored(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="certificates"):
            parse(f"postgres://h/d?sslmode=require&sslrootcert={tmp_path}/none.pem")


class TestRefusals:
    @pytest.mark.parametrize(
        "url",
        [
            "sqlite://",
            "sqlite://:memory:",
            "sqlite:///srv/",
            "sqlite:///srv/app.db?mode=ro",
            "postgres://host",
            "postgres://host/",
            "postgres://host/a/b",
            "postgres://host:port/d",
            "postgres://host:70000/d",
            "postgres://u:hunter2#@host/d",
            "postgres://u:hunter2/@host/d",
            "postgres://u:hunter2[@host/d",
            "mysql://u:[hunter2]@host/d",
            "postgres://[::1/d",
            "postgres://host/d?sslmode=sometimes",
            "postgres://host/d?pool_size=0",
            "postgres://host/d?pool_size=many",
            "postgres://host/d?colour=red",
            "mysql://host/d",
            "mysql://u@host/d?charset=latin1",
        ],
    )
    def test_a_bad_url_names_the_variable_and_not_its_value(self, url: str) -> None:
        settings = Settings(_env_file=None).model_copy(update={"database_url": SecretStr(url)})  # type: ignore[call-arg]  # pydantic's own
        with pytest.raises(ConfigError, match=r"^DATABASE_URL: ") as refusal:
            parse_target(settings)
        assert "hunter2" not in str(refusal.value)
        assert "\n" not in str(refusal.value)

    def test_an_unknown_scheme_is_refused(self) -> None:
        with pytest.raises(ValueError, match="starts with"):
            parse_url("oracle://h/d")
