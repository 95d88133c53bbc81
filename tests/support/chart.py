"""The Helm chart, rendered by Helm itself as a library: no cluster and no network."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python as helm

CHART = Path(__file__).parents[2] / "chart"
DOCUMENT = re.compile(r"^---$", re.MULTILINE)

Manifest = dict[str, Any]
Values = dict[str, Any]

MINIMAL: Values = {
    "existingSecret": "myapp-secrets",
    "config": {"STORAGE_URL": "s3://bucket/files", "FIREBASE_PROJECT_ID": "project"},
}
EVERYTHING: Values = {
    **MINIMAL,
    "config": {
        **MINIMAL["config"],
        "TRUSTED_PROXIES": "10.0.0.0/8",
        "RATE_LIMIT_ANONYMOUS": "600/minute",
        "LOG_LEVEL": "warning",
    },
    "image": {"repository": "registry.example.com/myapp", "digest": "sha256:" + 64 * "0"},
    "imagePullSecrets": [{"name": "registry"}],
    "roles": {
        "api": {"autoscaling": {"enabled": True}, "readiness": {"path": "/health"}},
        "worker": {
            "autoscaling": {
                "enabled": True,
                "metrics": [
                    {
                        "type": "External",
                        "external": {
                            "metric": {"name": "queue_latency_seconds"},
                            "target": {"type": "Value", "value": "10"},
                        },
                    }
                ],
            }
        },
        "grpc": {
            "enabled": True,
            "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 10},
        },
    },
    "grpc": {"tlsSecret": "grpc-tls"},
    "ingress": {"enabled": True, "host": "api.example.com", "tlsSecret": "api-tls"},
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/s3"}},
    "podLabels": {"team": "core"},
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "priorityClassName": "high",
    "networkPolicy": {"egress": {"extra": [{"ports": [{"port": 6380, "protocol": "TCP"}]}]}},
}
ONE_WORKER: Values = {
    **MINIMAL,
    "fullnameOverride": "jobs",
    "roles": {name: {"enabled": name == "worker"} for name in ("api", "worker", "scheduler")},
    "migrations": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "scrapeAnnotations": False,
}
VALUES = {"minimal": MINIMAL, "everything": EVERYTHING, "one worker": ONE_WORKER}


@dataclass(frozen=True, slots=True)
class Rendered:
    """What an install of the chart would send to a cluster, and what it would say."""

    manifests: list[Manifest]
    notes: str

    def of(self, kind: str) -> list[Manifest]:
        return [each for each in self.manifests if each["kind"] == kind]

    @property
    def workloads(self) -> list[Manifest]:
        """Whatever runs pods."""
        return [*self.of("Deployment"), *self.of("Job")]

    def environment(self, container: Manifest) -> dict[str, str | None]:
        """A container's variables: None is one that comes from a Secret."""
        found: dict[str, str | None] = {}
        for source in container.get("envFrom", ()):
            name = source["configMapRef"]["name"]
            (config,) = (each for each in self.of("ConfigMap") if each["metadata"]["name"] == name)
            found |= config["data"]
        return found | {each["name"]: each.get("value") for each in container["env"]}


def render(values: Values) -> Rendered:
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name="release", namespace="space", is_install=True)
    notes = files.pop("myapp/templates/NOTES.txt")
    return Rendered(list(parse(files)), notes)


def parse(files: dict[str, str]) -> Iterator[Manifest]:
    for text in files.values():
        for document in DOCUMENT.split(text):
            if manifest := helm.values_from_yaml(document):
                yield manifest


def pod_of(workload: Manifest) -> Manifest:
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


def container_of(workload: Manifest) -> Manifest:
    (container,) = pod_of(workload)["containers"]
    return dict(container)
