"""The Helm chart: what it renders is valid, and fits the program that it starts."""

import json
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
from pydantic import SecretStr

from myapp import __version__
from myapp.config import Settings
from myapp.enums import Role
from myapp.signals import STOP_SECONDS
from tests.support.chart import (
    CHART,
    EVERYTHING,
    MINIMAL,
    VALUES,
    Manifest,
    Rendered,
    Values,
    container_of,
    pod_of,
    render,
)

OLDEST, NEWEST = "1.29", "1.37"  # the oldest is Chart.yaml's kubeVersion
WARNING = 2  # of Helm's lint: information, such as a missing icon, is 1

# Of no use in a cluster: pods are the processes, and production refuses the rest.
NOT_IN_CHART = {"HOST", "WEB_CONCURRENCY", "AUTH_PROVIDER", "FIREBASE_AUTH_EMULATOR_HOST"}
SET_BY_CHART = {"APP_ENV", "DATA_DIR", "PORT", "GRPC_PORT", "HEALTH_PORT"}
TLS = {"GRPC_TLS_CERT", "GRPC_TLS_KEY"}


@pytest.fixture(params=VALUES, scope="module")
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(VALUES[request.param])


@pytest.fixture(scope="module")
def everything() -> Rendered:
    return render(EVERYTHING)


def is_secret(name: str) -> bool:
    annotation = str(Settings.model_fields[name.lower()].annotation)
    return SecretStr.__name__ in annotation or name == "AWS_ACCESS_KEY_ID"  # half of a pair


def settings_of(environment: dict[str, str | None]) -> Settings:
    """The settings of a container, with something in place of its secrets."""
    secrets = {
        "DATABASE_URL": "postgres://db/myapp",
        "REDIS_URL": "redis://redis",
        "SECRET_KEY": 32 * "x",
    }
    given = {**environment, **secrets}
    return Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic-settings' own, unknown to mypy
        **{  # type: ignore[arg-type]  # text, as an environment has it
            name.lower(): value
            for name, value in given.items()
            if value is not None and name not in TLS
        },
    )


def configured(**variables: str) -> Values:
    """The least that is needed, and these variables."""
    return {**MINIMAL, "config": {**MINIMAL["config"], **variables}}


def selects(selector: Manifest, labels: Manifest) -> bool:
    return selector.items() <= labels.items()


class TestHelm:
    @pytest.mark.parametrize("values", VALUES)
    def test_lint_finds_nothing(self, values: str) -> None:
        report = helm.lint(CHART, VALUES[values], strict=True, namespace="space")
        assert [each for each in report["messages"] if each["severity"] >= WARNING] == []
        assert report["errors"] == []

    @pytest.mark.parametrize("version", [OLDEST, NEWEST])
    def test_kubernetes_knows_every_field_that_is_rendered(
        self, rendered: Rendered, version: str
    ) -> None:
        assert rendered.manifests
        for manifest in rendered.manifests:
            kubernetes_validate.validate(manifest, version, strict=True)

    def test_the_chart_is_of_the_programs_version_and_of_the_versions_it_is_checked_for(
        self,
    ) -> None:
        with helm.Chart.load(CHART) as chart:
            assert chart.metadata["appVersion"] == __version__
            assert chart.metadata["kubeVersion"].startswith(f">={OLDEST}")

    @pytest.mark.parametrize(
        ("values", "names"),
        [
            ({}, "existingSecret"),
            ({**MINIMAL, "config": {}}, "STORAGE_URL"),
            (configured(SECRET_KEY="x"), "SECRET_KEY"),
            (configured(LOG_LEVEL="loud"), "LOG_LEVEL"),
            (configured(DRAIN_SECONDS="20.5"), "DRAIN_SECONDS"),
            (configured(DRAIN_SECONDS="21"), "DRAIN_SECONDS"),
            (configured(WORKER_CONCURRENCY="1001"), "WORKER_CONCURRENCY"),
            ({**MINIMAL, "replicas": 3}, "replicas"),
            ({**MINIMAL, "ingress": {"enabled": True}}, "ingress/host"),
        ],
    )
    def test_wrong_values_are_refused_by_name(self, values: dict[str, Any], names: str) -> None:
        with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmValuesError, match=names):
            chart.validate_schema(values)

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            *(("DRAIN_SECONDS", seconds) for seconds in ("0", "2.5", "19.99", "20", "20.0")),
            *(("WORKER_CONCURRENCY", number) for number in ("1", "999", "1000")),
        ],
    )
    def test_numbers_go_as_far_as_the_programs(self, variable: str, value: str) -> None:
        values = configured(**{variable: value})
        with helm.Chart.load(CHART) as chart:
            chart.validate_schema(values)
        assert getattr(settings_of(values["config"]), variable.lower()) == float(value)


class TestSettings:
    def test_every_variable_is_one_that_the_program_reads(self, rendered: Rendered) -> None:
        known = {name.upper() for name in Settings.model_fields}
        for workload in rendered.workloads:
            assert rendered.environment(container_of(workload)).keys() <= known

    def test_every_variable_that_is_no_secret_can_be_set(self) -> None:
        schema = json.loads((CHART / "values.schema.json").read_text())
        every = {name.upper() for name in Settings.model_fields}
        secret = {name for name in every if is_secret(name)}
        settable = every - secret - NOT_IN_CHART - SET_BY_CHART - TLS
        assert schema["properties"]["config"]["properties"].keys() == settable

    def test_the_program_takes_what_it_is_given(self, rendered: Rendered) -> None:
        for workload in rendered.workloads:
            settings = settings_of(rendered.environment(container_of(workload)))
            assert settings.production

    def test_secrets_come_from_the_secret_alone(self, everything: Rendered) -> None:
        assert everything.of("Secret") == []
        assert everything.workloads
        for workload in everything.workloads:
            environment = everything.environment(container_of(workload))
            secret = {name for name in environment if is_secret(name)}
            assert {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"} <= secret
            assert {environment[name] for name in secret} == {None}

    def test_grpc_alone_has_the_certificate(self, everything: Rendered) -> None:
        holders = [
            each["metadata"]["name"]
            for each in everything.workloads
            if everything.environment(container_of(each)).keys() >= TLS
        ]
        assert holders == ["release-myapp-grpc"]


class TestRoles:
    def test_each_role_is_a_deployment(self, everything: Rendered) -> None:
        roles = {container_of(each)["args"][0] for each in everything.of("Deployment")}
        assert roles == {f"--role={role}" for role in Role}

    def test_probes_and_services_meet_ports_that_the_role_opens(self, rendered: Rendered) -> None:
        for deployment in rendered.of("Deployment"):
            container = container_of(deployment)
            settings = settings_of(rendered.environment(container))
            opened = {"health": settings.health_port}
            if container["name"] == Role.API:
                opened["http"] = settings.port
            if container["name"] == Role.GRPC:
                opened["grpc"] = settings.grpc_port
            ports = {each["name"]: each["containerPort"] for each in container["ports"]}
            assert ports == opened
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                assert container[probe]["httpGet"]["port"] == "health"

    def test_a_role_is_killed_only_when_it_hangs(self, rendered: Rendered) -> None:
        for deployment in rendered.of("Deployment"):
            assert pod_of(deployment)["terminationGracePeriodSeconds"] > STOP_SECONDS

    def test_only_health_restarts_a_pod(self, rendered: Rendered) -> None:
        for deployment in rendered.of("Deployment"):
            container = container_of(deployment)
            assert container["livenessProbe"]["httpGet"]["path"] == "/health"
            assert container["startupProbe"]["httpGet"]["path"] == "/health"

    def test_api_stays_in_service_over_a_failover_of_redis(self) -> None:
        (api,) = (
            each
            for each in render(MINIMAL).of("Deployment")
            if container_of(each)["name"] == Role.API
        )
        probe = container_of(api)["readinessProbe"]
        assert probe["httpGet"]["path"] == "/ready"
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 60

    def test_what_scales_by_itself_has_no_fixed_number(self, everything: Rendered) -> None:
        scaled = {
            each["spec"]["scaleTargetRef"]["name"]
            for each in everything.of("HorizontalPodAutoscaler")
        }
        assert scaled == {"release-myapp-api", "release-myapp-worker", "release-myapp-grpc"}
        for deployment in everything.of("Deployment"):
            fixed = "replicas" in deployment["spec"]
            assert fixed == (deployment["metadata"]["name"] not in scaled)

    @pytest.mark.parametrize("role", Role)
    def test_each_that_scales_by_itself_does_so_by_a_number(self, role: Role) -> None:
        limits = {"minReplicas": 2, "maxReplicas": 10}
        roles = {role: {"enabled": True, "autoscaling": {"enabled": True, **limits}}}
        (scaler,) = render({**MINIMAL, "roles": roles}).of("HorizontalPodAutoscaler")
        (metric,) = scaler["spec"]["metrics"]
        assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}


class TestSelectors:
    def test_each_finds_the_pods_of_one_role(self, rendered: Rendered) -> None:
        pods = [each["spec"]["template"]["metadata"]["labels"] for each in rendered.workloads]
        selectors = [
            *(each["spec"]["selector"] for each in rendered.of("Service")),
            *(each["spec"]["selector"]["matchLabels"] for each in rendered.of("Deployment")),
            *(
                each["spec"]["selector"]["matchLabels"]
                for each in rendered.of("PodDisruptionBudget")
            ),
            *(
                each["spec"]["podSelector"]["matchLabels"]
                for each in rendered.of("NetworkPolicy")
                if each["spec"]["policyTypes"] == ["Ingress"]
            ),
            *(
                spread["labelSelector"]["matchLabels"]
                for each in rendered.of("Deployment")
                for spread in pod_of(each)["topologySpreadConstraints"]
            ),
        ]
        assert selectors
        for selector in selectors:
            found = [labels for labels in pods if selects(selector, labels)]
            assert len(found) == 1, selector

    def test_the_rule_for_what_goes_out_covers_every_pod(self, everything: Rendered) -> None:
        (policy,) = (
            each
            for each in everything.of("NetworkPolicy")
            if each["spec"]["policyTypes"] == ["Egress"]
        )
        for workload in everything.workloads:
            labels = workload["spec"]["template"]["metadata"]["labels"]
            assert selects(policy["spec"]["podSelector"]["matchLabels"], labels)

    def test_the_way_in_leads_to_the_service_of_the_api(self, everything: Rendered) -> None:
        (ingress,) = everything.of("Ingress")
        backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
        (service,) = (
            each for each in everything.of("Service") if each["metadata"]["name"] == backend["name"]
        )
        assert backend["port"]["name"] in [port["name"] for port in service["spec"]["ports"]]
        assert service["spec"]["selector"]["app.kubernetes.io/component"] == Role.API


class TestPods:
    def test_they_have_no_right_that_they_do_not_need(self, rendered: Rendered) -> None:
        for workload in rendered.workloads:
            pod, container = pod_of(workload), container_of(workload)
            assert pod["automountServiceAccountToken"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]

    def test_they_can_write_where_the_program_writes(self, rendered: Rendered) -> None:
        for workload in rendered.workloads:
            container = container_of(workload)
            writable = {
                each["mountPath"]
                for each in container["volumeMounts"]
                if not each.get("readOnly", False)
            }
            assert writable == {rendered.environment(container)["DATA_DIR"], "/tmp"}

    def test_a_changed_setting_replaces_them(self) -> None:
        changed = configured(LOG_LEVEL="debug")
        before, after = (
            [
                each["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
                for each in render(values).of("Deployment")
            ]
            for values in (MINIMAL, changed)
        )
        assert set(before).isdisjoint(after)


class TestMigrations:
    def test_they_run_before_the_roles_with_nothing_of_the_release(
        self, everything: Rendered
    ) -> None:
        """Before an install neither the ConfigMap nor the service account is there."""
        (job,) = everything.of("Job")
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert container_of(job)["args"] == ["migrate"]
        assert "envFrom" not in container_of(job)
        assert "serviceAccountName" not in pod_of(job)


class TestNotes:
    def test_they_say_what_is_missing(self) -> None:
        values = {**MINIMAL, "ingress": {"enabled": True, "host": "api.example.com"}}
        assert "TRUSTED_PROXIES is empty" in render(values).notes
        assert "TRUSTED_PROXIES" not in render(EVERYTHING).notes
        assert "no scheduler" in render(VALUES["one worker"]).notes
