"""Run as a program: grpcio's own reflection and health clients, against the port given.

They cannot share a process with grpclib's: both define the same messages. Prints JSON.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


def main(port: str) -> None:
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = descriptor_pool.DescriptorPool(database)
        method = pool.FindServiceByName("probe.v1.Probe").FindMethodByName("Echo")
        note = message_factory.GetMessageClass(method.input_type)
        echo = channel.unary_unary("/probe.v1.Probe/Echo", note.SerializeToString, note.FromString)
        health = health_pb2_grpc.HealthStub(channel)
        found = {
            "services": sorted(database.get_services()),
            "echo": json_format.MessageToDict(echo(note(text="by reflection alone"))),
            "health": health.Check(health_pb2.HealthCheckRequest()).status,
        }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
