"""What the Python programs of this directory share: modules made from proto/, digests, and a small client.

Run with the interpreter of `scripts/setup.sh --venv`. It is an implementation of its own on Google's protobuf and grpcio,
so that it shares no code (and no mistake) with what it tests.
"""
import hashlib
import importlib
import os
import sys
import tempfile
import uuid

import grpc
from grpc_tools import protoc

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto")
FILES = ["remote_execution", "semver", "rpc_status", "longrunning", "bytestream", "waybill", "health"]


def _compile():
    with tempfile.TemporaryDirectory(prefix="protos.") as out:
        well_known = os.path.join(os.path.dirname(protoc.__file__), "_proto")
        args = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}"]
        if protoc.main(args + [f + ".proto" for f in FILES]) != 0:
            sys.exit("reapi.py: the protos do not compile")
        sys.path.insert(0, out)
        try:
            for f in FILES:
                importlib.import_module(f + "_pb2")
                importlib.import_module(f + "_pb2_grpc")
        finally:
            sys.path.remove(out)


_compile()
import bytestream_pb2 as bs  # noqa: E402
import bytestream_pb2_grpc as bs_grpc  # noqa: E402,F401
import longrunning_pb2 as lr  # noqa: E402,F401
import longrunning_pb2_grpc as lr_grpc  # noqa: E402,F401
import remote_execution_pb2 as re2  # noqa: E402
import remote_execution_pb2_grpc as re2_grpc  # noqa: E402
import rpc_status_pb2 as rpc_status  # noqa: E402,F401

EMPTY = hashlib.sha256(b"").hexdigest()


def digest(data):
    return re2.Digest(hash=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


class Client:
    """Blocking calls to one server. Failures are grpc.RpcError."""

    def __init__(self, target, instance="", timeout=120):
        # A connection of its own: a shared one that failed a moment ago would refuse calls until its backoff ends.
        self.channel = grpc.insecure_channel(target, options=[
            ("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1)])
        self.instance, self.timeout = instance, timeout
        self.capabilities_stub = re2_grpc.CapabilitiesStub(self.channel)
        self.ac = re2_grpc.ActionCacheStub(self.channel)
        self.cas = re2_grpc.ContentAddressableStorageStub(self.channel)
        self.execution = re2_grpc.ExecutionStub(self.channel)
        self.bytestream = bs_grpc.ByteStreamStub(self.channel)

    def capabilities(self):
        return self.capabilities_stub.GetCapabilities(
            re2.GetCapabilitiesRequest(instance_name=self.instance), timeout=self.timeout)

    def _name(self, text):
        return f"{self.instance}/{text}" if self.instance else text

    def missing(self, digests):
        request = re2.FindMissingBlobsRequest(instance_name=self.instance, blob_digests=digests)
        return list(self.cas.FindMissingBlobs(request, timeout=self.timeout).missing_blob_digests)

    def put(self, data):
        d = digest(data)
        name = self._name(f"uploads/{uuid.uuid4()}/blobs/{d.hash}/{d.size_bytes}")

        def parts():
            for at in range(0, max(len(data), 1), 1 << 20):
                yield bs.WriteRequest(resource_name=name, write_offset=at, data=data[at:at + (1 << 20)],
                                      finish_write=at + (1 << 20) >= len(data))

        self.bytestream.Write(parts(), timeout=self.timeout)
        return d

    def get(self, d):
        if d.size_bytes == 0:
            return b""
        request = bs.ReadRequest(resource_name=self._name(f"blobs/{d.hash}/{d.size_bytes}"))
        return b"".join(r.data for r in self.bytestream.Read(request, timeout=self.timeout))

    def execute(self, action, skip_cache_lookup=True):
        """ExecuteResponse of an action by its digest."""
        request = re2.ExecuteRequest(instance_name=self.instance, skip_cache_lookup=skip_cache_lookup, action_digest=action)
        operation = None
        for operation in self.execution.Execute(request, timeout=self.timeout):
            pass
        response = re2.ExecuteResponse()
        if operation is None or not operation.response.Unpack(response):
            raise RuntimeError(f"no response in the last operation: {operation}")
        return response

    def run(self, argv, files=None, outputs=(), cwd="r", env=(("PATH", "/usr/bin:/bin"),)):
        """Upload and execute a command over `files`, a dictionary of names in `cwd` to bytes."""
        root = re2.Directory(directories=[re2.DirectoryNode(name=cwd, digest=self.put(re2.Directory(
            files=[re2.FileNode(name=n, digest=self.put(b)) for n, b in sorted((files or {}).items())]
        ).SerializeToString()))])
        command = re2.Command(arguments=argv, working_directory=cwd, output_paths=sorted(outputs), environment_variables=[
            re2.Command.EnvironmentVariable(name=n, value=v) for n, v in sorted(env)])
        action = re2.Action(command_digest=self.put(command.SerializeToString()),
                            input_root_digest=self.put(root.SerializeToString()))
        return self.execute(self.put(action.SerializeToString()))
