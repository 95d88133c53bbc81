"""Server reflection, v1alpha as grpcio's client speaks it and v1 by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from grpclib.reflection.v1.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from tests.grpc.probe import SERVICE, Client, Running

SERVICES = ["grpc.health.v1.Health", SERVICE]


def test_a_client_of_reflection_alone_calls_the_service(server: Running) -> None:
    script = Path(__file__).with_name("reflect.py")
    command = [sys.executable, str(script), str(server.port)]
    done = subprocess.run(command, capture_output=True, timeout=20, check=True)
    assert json.loads(done.stdout) == {
        "services": SERVICES,
        "echo": {"text": "by reflection alone"},
        "health": 1,
    }


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_both_versions_list_the_services(client: Client, version: str) -> None:
    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    talk = client.method("stream_stream", path, ServerReflectionResponse)
    answer = next(talk(iter([ServerReflectionRequest(list_services="")])))
    assert sorted(s.name for s in answer.list_services_response.service) == SERVICES


@pytest.mark.parametrize("symbol", [SERVICE, f"{SERVICE}.Echo", "probe.v1.Note"])
@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_symbols_are_found_methods_too(client: Client, symbol: str, version: str) -> None:
    assert ask_for(client, symbol, version).HasField("file_descriptor_response")


@pytest.mark.parametrize(
    "symbol", ["", "nonsense", f"{SERVICE}.Nonsense", "probe.v1.Nonsense.Echo"]
)
def test_what_is_no_symbol_is_not_found(client: Client, symbol: str) -> None:
    assert ask_for(client, symbol, "v1").error_response.error_code == 5


def ask_for(client: Client, symbol: str, version: str) -> ServerReflectionResponse:
    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    talk = client.method("stream_stream", path, ServerReflectionResponse)
    answer: ServerReflectionResponse = next(
        talk(iter([ServerReflectionRequest(file_containing_symbol=symbol)]))
    )
    return answer
