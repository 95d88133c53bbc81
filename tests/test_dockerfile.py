"""The Dockerfile, which nothing here can build: what it says fits the program and the chart."""

import re
from pathlib import Path

from myapp import __version__
from tests.support.chart import EVERYTHING, container_of, pod_of, render

FOLDER = Path(__file__).parents[1]
TEXT = (FOLDER / "Dockerfile").read_text()


def test_what_it_copies_is_there_and_not_ignored() -> None:
    ignored, *kept = (
        line
        for line in (FOLDER / ".dockerignore").read_text().splitlines()
        if not line.startswith("#")
    )
    assert ignored == "*"
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (FOLDER / source).exists()
        assert f"!{source}" in kept


def test_it_is_labelled_with_the_programs_version() -> None:
    assert f"ARG VERSION={__version__}\n" in TEXT


def test_its_user_folder_and_ports_are_those_of_the_chart() -> None:
    rendered = render(EVERYTHING)
    exposed = {int(port) for port in re.findall(r"^EXPOSE (.+)$", TEXT, re.MULTILINE)[0].split()}
    for deployment in rendered.of("Deployment"):
        user = pod_of(deployment)["securityContext"]
        assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in TEXT
        container = container_of(deployment)
        assert {port["containerPort"] for port in container["ports"]} <= exposed
        assert f"VOLUME {rendered.environment(container)['DATA_DIR']}\n" in TEXT
