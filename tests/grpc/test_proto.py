"""account.proto and what is made of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
PROTO = "myapp/grpc/proto/myapp/account/v1"
GENERATED = "myapp/grpc/generated"


def run(*command: str | Path) -> None:
    environment = {**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("check", [("lint",), ("format", "--diff", "--exit-code")], ids=" ".join)
def test_the_proto_is_clean(check: tuple[str, ...]) -> None:
    run(TOOLS / "buf", *check)


@pytest.mark.parametrize("name", ["account_pb2.py", "account_pb2.pyi", "account_grpc.py"])
def test_the_generated_code_is_what_make_proto_writes(name: str, tmp_path: Path) -> None:
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpclib_python")]
    protoc = (sys.executable, "-m", "grpc_tools.protoc", "-I", f"{GENERATED}={PROTO}")
    run(*protoc, *outputs, f"{PROTO}/account.proto")
    made = tmp_path / GENERATED / name
    assert (ROOT / GENERATED / name).read_text() == made.read_text(), "run: make proto"
