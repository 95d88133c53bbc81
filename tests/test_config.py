"""Settings: where they come from, and what is refused."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest

from myapp.config import Settings, load_settings
from myapp.enums import AuthProvider, PushService
from myapp.errors import ConfigError

SECRET = "s" * 32
PRODUCTION = {"APP_ENV": "production", "SECRET_KEY": SECRET, "FIREBASE_PROJECT_ID": "project"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the tester's own settings."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


class TestSource:
    def test_needs_none(self) -> None:
        settings = load_settings()
        assert (settings.host, settings.port) == ("127.0.0.1", 8000)
        assert settings.auth_provider is AuthProvider.LOCAL

    def test_is_the_env_file_then_the_environment_then_the_flags(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / ".env").write_text("PORT=1\nGRPC_PORT=2\nHEALTH_PORT=3\n")
        monkeypatch.setenv("GRPC_PORT", "20")
        monkeypatch.setenv("HEALTH_PORT", "30")
        settings = load_settings(health_port=300, host=None)
        assert (settings.port, settings.grpc_port, settings.health_port) == (1, 20, 300)

    def test_counts_an_empty_variable_as_unset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert load(monkeypatch, PORT="", REDIS_URL="", QUEUES="").port == 8000

    def test_takes_the_example_as_it_is(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Every variable stands in .env.example, with its default."""
        example = Path(__file__).parent.parent / ".env.example"
        lines = [line for line in example.read_text().splitlines() if line[:1] not in ("#", "")]
        assert {line.partition("=")[0].lower() for line in lines} == set(Settings.model_fields)
        default = load_settings()
        (tmp_path / ".env").write_text(example.read_text())
        assert load_settings() == default

    def test_reads_lists_by_commas(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = load(monkeypatch, QUEUES="low, default", TRUSTED_PROXIES="10.0.0.0/8,::1")
        assert settings.queues == ("low", "default")
        assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))


class TestRefusal:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("APP_ENV", "prod"),
            ("PORT", "http"),
            ("PORT", "70000"),
            ("DATABASE_URL", "oracle://x"),
            ("REDIS_URL", "http://x"),
            ("REDIS_URL", "redis://h:port"),
            ("REDIS_URL", "redis://h/name"),
            ("REDIS_URL", "unix://"),
            ("SECRET_KEY", "short"),
            ("QUEUES", "Default"),
            ("WORKER_CONCURRENCY", "0"),
            ("DRAIN_SECONDS", "-1"),
            ("WEB_CONCURRENCY", "0"),
            ("TRUSTED_PROXIES", "everybody"),
            ("CORS_ALLOWED_ORIGINS", "app.example.com"),
            ("CORS_ALLOWED_ORIGINS", "https://app.example.com/path"),
            ("LOG_LEVEL", "loud"),
            ("LOG_FORMAT", "xml"),
            ("STORAGE_URL", "ftp://x"),
            ("STORAGE_URL", "file://relative/path"),
            ("STORAGE_URL", "file:relative"),
            ("STORAGE_URL", "file://"),
            ("FIREBASE_CREDENTIALS", "/nowhere.json"),
            ("FIREBASE_CREDENTIALS", "{not json"),
            ("FIREBASE_CREDENTIALS", '{"type": "authorized_user"}'),
            ("GRPC_TLS_CERT", "/nowhere.pem"),
            ("GRPC_TLS_KEY", "x" * 5000),
        ],
    )
    def test_is_one_line_that_names_the_variable(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        with pytest.raises(ConfigError) as refusal:
            load(monkeypatch, **{name: value})
        assert str(refusal.value).startswith(name)
        assert "\n" not in str(refusal.value)

    def test_of_a_number_that_is_none_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ConfigError, match=r"^DRAIN_SECONDS: is no finite number$"):
            load(monkeypatch, DRAIN_SECONDS="nan")

    @pytest.mark.parametrize(
        "url", ["redis://h", "redis://h:1/2", "rediss://u:p@h/?db=1", "unix:///s?db=1"]
    )
    def test_is_not_of_an_address_that_makes_sense(
        self, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        assert load(monkeypatch, REDIS_URL=url).redis_url

    def test_names_an_env_file_that_is_no_text(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / ".env").write_bytes(b"PORT=\xff\n")
        with pytest.raises(ConfigError, match=r"^\.env: [^\n]+$"):
            load_settings()

    def test_never_shows_a_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ConfigError) as refusal:
            load(monkeypatch, DATABASE_URL="oracle://user:hunter2@host/db")
        assert "hunter2" not in str(refusal.value)

    @pytest.mark.parametrize("password", ["x[S3cretPart]y", "S3cretPart[", "S3cretPart\u2100"])
    @pytest.mark.parametrize(
        ("name", "url"),
        [
            ("DATABASE_URL", "postgres://user:{}@host/db"),
            ("DATABASE_URL", "mysql://user:{}@host/db"),
            ("REDIS_URL", "redis://:{}@host"),
            ("REDIS_URL", "rediss://user:{}@host/0"),
            ("STORAGE_URL", "s3://key:{}@bucket/prefix"),
            ("S3_ENDPOINT_URL", "https://key:{}@host"),
            ("CORS_ALLOWED_ORIGINS", "https://user:{}@host"),
        ],
    )
    def test_of_a_url_that_cannot_be_read_shows_no_part_of_it(
        self, monkeypatch: pytest.MonkeyPatch, name: str, url: str, password: str
    ) -> None:
        """What urllib says of such a URL repeats it."""
        with pytest.raises(ConfigError, match=f"^{name}:? .* percent-encoded$") as refusal:
            load(monkeypatch, **{name: url.format(password)})
        assert "S3cret" not in str(refusal.value)

    def test_of_a_scheme_that_is_none_comes_before_the_rest(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(ConfigError, match=r"^REDIS_URL: starts with redis://"):
            load(monkeypatch, REDIS_URL="http://:x[y@host")

    def test_is_not_of_such_a_password_that_is_percent_encoded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        urls = {"DATABASE_URL": "postgres://u:x%5By%5D@h/d", "REDIS_URL": "redis://:%E2%84%80@h"}
        assert load(monkeypatch, **urls).redis_url


class TestProduction:
    def test_starts_with_firebase_and_a_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = load(monkeypatch, **PRODUCTION)
        assert (settings.host, settings.log_format) == ("0.0.0.0", "json")

    @pytest.mark.parametrize(
        ("named", "change"),
        [
            ("SECRET_KEY", {"SECRET_KEY": ""}),
            ("AUTH_PROVIDER", {"AUTH_PROVIDER": "local"}),
            ("AUTH_PROVIDER", {"FIREBASE_PROJECT_ID": ""}),
            ("FIREBASE_AUTH_EMULATOR_HOST", {"FIREBASE_AUTH_EMULATOR_HOST": "localhost:9099"}),
            ("REDIS_URL", {"DATABASE_URL": "postgres://h/d"}),
            ("DATABASE_URL", {"REDIS_URL": "redis://h"}),
        ],
    )
    def test_refuses_what_is_unsafe(
        self, monkeypatch: pytest.MonkeyPatch, named: str, change: dict[str, str]
    ) -> None:
        with pytest.raises(ConfigError) as refusal:
            load(monkeypatch, **PRODUCTION | change)
        assert str(refusal.value).startswith(named)


class TestFirebase:
    def test_is_the_provider_as_soon_as_it_is_set_up(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        key = tmp_path / "key.json"
        key.write_text(json.dumps({"type": "service_account", "project_id": "project"}))
        settings = load(monkeypatch, FIREBASE_CREDENTIALS=str(key))
        assert settings.auth_provider is AuthProvider.FIREBASE

    def test_needs_to_know_its_project(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ConfigError, match=r"^FIREBASE_PROJECT_ID"):
            load(monkeypatch, AUTH_PROVIDER="firebase")


class TestPush:
    def test_goes_through_fcm_where_there_are_credentials(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        assert load_settings().push_provider is PushService.LOG
        key = json.dumps({"type": "service_account", "project_id": "project"})
        settings = load(monkeypatch, FIREBASE_CREDENTIALS=key)
        assert settings.push_provider is PushService.FCM
        assert load(monkeypatch, PUSH_PROVIDER="log").push_provider is PushService.LOG

    def test_through_fcm_needs_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ConfigError, match=r"^FIREBASE_CREDENTIALS"):
            load(monkeypatch, PUSH_PROVIDER="fcm")
