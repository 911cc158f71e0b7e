"""A fake Remote Execution API server that lies, in one way a run: fake_hostile.py CASE

It stores blobs and results in memory and really executes actions, in a temporary directory on this machine, so that results
are right wherever the case does not want them wrong. Prints `READY PORT`; commands on standard input, one answer each:
`good` (lie no more, and forget all results), `lose` (forget the bytes of all outputs), `count`, `quit`.

Only actions that make an object or precompiled header are lied about: a client that first asks the worker something (which
compiler, which files) shall trust it and then meet the lie. Lies about results are told by the action cache too.
"""
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent import futures

import grpc
import reapi
from reapi import bs, lr, re2, rpc_status

CASES = {
    "honest": "no lie",
    "parent_path": "an output called ../../../x-waybill-hostile",
    "absolute_path": "an output called /etc/waybill-hostile",
    "symlink_output": "the object is a symlink to /etc/passwd",
    "directory_output": "the object is a directory",
    "wrong_digest": "other bytes than the digest says",
    "truncated": "half of an output, and the stream ends as if it were all",
    "endless": "the stream of an output does not end",
    "endless_execute": "the stream of Execute says `executing` for ever",
    "oversized": "messages of 80 MB",
    "huge_size": "digests that claim a petabyte",
    "no_object": "exit code 0, all outputs but the object",
    "nothing_captured": "exit code 0 and no output",
    "no_compiler": "exit code 1: no such compiler",
    "missing_once": "blobs get lost; FAILED_PRECONDITION with MISSING at the first Execute of each action",
    "missing_always": "the same, at every Execute",
    "lost_blobs": "action cache entries whose blobs are gone (after `lose`)",
    "garbage": "replies that are no messages",
    "old_api": "API versions 1.0 to 1.9",
    "no_sha256": "BLAKE3 only",
    "hang": "Execute does not answer",
    "broken_stream": "the stream of Execute breaks; WaitExecution has the result",
}
SIZE = 256 << 20


class Server:
    def __init__(self, case):
        self.case = case
        self.blobs, self.results, self.operations, self.outputs, self.failed_once = {}, {}, {}, set(), set()
        self.lock = threading.Lock()
        self.count = dict.fromkeys(["executed", "lies", "waits", "uploads", "hits"], 0)
        self.turn, self.names = itertools.count(), itertools.count()
        self.slots = threading.Semaphore(os.cpu_count() or 1)
        self.ended = threading.Event()
        self.put(b"")

    def add(self, what, n=1):
        with self.lock:
            self.count[what] += n

    def put(self, data):
        d = reapi.digest(data)
        self.blobs[d.hash] = data
        return d

    def lying(self, *cases):
        if self.case in cases:
            self.add("lies")
            return True
        return False

    # ---- execution

    def stage(self, directory, d):
        os.makedirs(directory, exist_ok=True)
        node = re2.Directory.FromString(self.blobs[d.hash])
        for f in node.files:
            path = os.path.join(directory, f.name)
            with open(path, "wb") as out:
                out.write(self.blobs[f.digest.hash])
            os.chmod(path, 0o755 if f.is_executable else 0o644)
        for s in node.symlinks:
            os.symlink(s.target, os.path.join(directory, s.name))
        for sub in node.directories:
            self.stage(os.path.join(directory, sub.name), sub.digest)

    def run(self, action, command):
        """What the command really does: an ActionResult."""
        root = tempfile.mkdtemp(prefix="action.")
        try:
            self.stage(root, action.input_root_digest)
            cwd = os.path.join(root, command.working_directory)
            outputs = list(command.output_paths) or list(command.output_files)
            for o in outputs:
                os.makedirs(os.path.dirname(os.path.join(cwd, o)), exist_ok=True)
            env = {v.name: v.value for v in command.environment_variables}
            with self.slots:
                try:
                    p = subprocess.run(list(command.arguments), cwd=cwd, env=env, capture_output=True, check=False,
                                       stdin=subprocess.DEVNULL)
                except OSError as e:
                    return re2.ActionResult(exit_code=127, stderr_digest=self.put(str(e).encode()))
            result = re2.ActionResult(exit_code=p.returncode, stdout_digest=self.put(p.stdout),
                                      stderr_digest=self.put(p.stderr))
            for o in outputs:
                path = os.path.join(cwd, o)
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        d = self.put(f.read())
                    result.output_files.add(path=o, digest=d, is_executable=os.access(path, os.X_OK))
            return result
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def lie(self, result, command):
        """The result as the case wants it."""
        objects = [f for f in result.output_files if is_object(f.path)]
        if not objects or result.exit_code != 0:
            return result
        one = objects[0]
        if self.lying("parent_path", "absolute_path"):
            path = "../../../x-waybill-hostile" if self.case == "parent_path" else "/etc/waybill-hostile"
            n = next(self.turn)
            if n % 2 == 0:
                result.output_files.add(path=path, digest=one.digest)
            else:  # in its place, and below a directory that is fine
                one.path = path if n % 4 == 1 else os.path.dirname(one.path) + "/" + path
        elif self.lying("symlink_output"):
            name = one.path
            result.output_files.remove(one)
            if next(self.turn) % 2 == 0:
                result.output_symlinks.add(path=name, target="/etc/passwd")
            else:
                result.output_file_symlinks.add(path=name, target="/etc/passwd")
        elif self.lying("directory_output"):
            result.output_directories.add(path=one.path, tree_digest=one.digest)
            result.output_files.remove(one)
        elif self.lying("wrong_digest"):
            if next(self.turn) % 2 == 0:  # at once; otherwise when it is read
                one.contents = bytes(one.digest.size_bytes)
        elif self.lying("huge_size"):
            n = next(self.turn) % 3
            if n == 0:
                one.digest.size_bytes = 1 << 50
            elif n == 1:
                result.stderr_digest.CopyFrom(re2.Digest(hash=one.digest.hash, size_bytes=1 << 50))
            else:
                one.digest.size_bytes = -1
        elif self.lying("no_object"):
            for f in objects:
                result.output_files.remove(f)
        elif self.lying("nothing_captured"):
            del result.output_files[:]
        elif self.lying("no_compiler"):
            result = re2.ActionResult(exit_code=1, stderr_digest=self.put(
                f"bwrap: execvp {command.arguments[0]}: No such file or directory\n".encode()))
        elif self.lying("oversized") and next(self.turn) % 2 == 0:
            result.stderr_raw = bytes(80 << 20)
        return result

    def Execute(self, request, context):
        d = request.action_digest
        name = f"operations/{next(self.names)}"
        missing = [d] if d.hash not in self.blobs else []
        if not missing:
            action = re2.Action.FromString(self.blobs[d.hash])
            missing = self.incomplete(action)
        if missing:
            yield self.failed(name, "blobs are missing", missing)
            return
        command = re2.Command.FromString(self.blobs[action.command_digest.hash])
        compiles = any(is_object(o) for o in command.output_paths)
        if compiles and self.lying("hang"):
            yield lr.Operation(name=name)
            while context.is_active() and not self.ended.wait(0.1):
                pass
            return
        if compiles and self.lying("endless_execute"):
            while context.is_active() and not self.ended.is_set():
                yield lr.Operation(name=name)
                time.sleep(0.001)
            return
        if compiles and (self.case == "missing_always" or d.hash not in self.failed_once) and self.lying(
                "missing_once", "missing_always"):
            self.failed_once.add(d.hash)
            lost = [self.blobs_of(action.input_root_digest)[-1], action.command_digest]
            for blob in lost:
                self.blobs.pop(blob.hash, None)
            operation = self.failed(name, "lost", lost)
            if next(self.turn) % 2 == 0:  # in the response, or as the end of the call
                yield operation
            else:
                response = re2.ExecuteResponse()
                operation.response.Unpack(response)
                context.set_trailing_metadata((("grpc-status-details-bin", response.status.SerializeToString()),))
                context.set_code(grpc.StatusCode.FAILED_PRECONDITION)
                context.set_details("lost")
            return
        self.add("executed")
        result = self.run(action, command)
        if compiles:
            self.outputs.update(f.digest.hash for f in result.output_files)
            result = self.lie(result, command)
        if not action.do_not_cache and (result.exit_code == 0 or self.case == "no_compiler"):
            self.results[d.hash] = result
        operation = lr.Operation(name=name, done=True)
        operation.response.Pack(re2.ExecuteResponse(result=result))
        if compiles and self.lying("garbage"):
            if next(self.turn) % 2 == 0:
                yield b"\xff\xfe garbage \x00" * 50
                return
            operation.response.value = b"\x0a\xff\xff\xff\xff\xff\xff\xff\x7f garbage"
        if compiles and self.lying("broken_stream"):
            self.operations[name] = operation
            yield lr.Operation(name=name)
            context.set_code(grpc.StatusCode.UNAVAILABLE)
            context.set_details("the stream breaks")
            return
        yield operation

    def WaitExecution(self, request, context):
        self.add("waits")
        operation = self.operations.get(request.name)
        if operation is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such operation")
        yield operation

    def CancelOperation(self, request, context):
        return reapi.lr_grpc.google_dot_protobuf_dot_empty__pb2.Empty()

    def blobs_of(self, d):
        """Digests of the blobs that a tree names, those of files last."""
        if d.hash not in self.blobs:
            return [d]
        node, out = re2.Directory.FromString(self.blobs[d.hash]), [d]
        for sub in node.directories:
            out += self.blobs_of(sub.digest)
        return out + [f.digest for f in node.files if f.digest.size_bytes]

    def incomplete(self, action):
        return [d for d in [action.command_digest] + self.blobs_of(action.input_root_digest) if d.hash not in self.blobs]

    @staticmethod
    def failed(name, text, missing):
        status = rpc_status.Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message=text)
        failure = rpc_status.PreconditionFailure(violations=[rpc_status.PreconditionFailure.Violation(
            type="MISSING", subject=f"blobs/{d.hash}/{d.size_bytes}") for d in missing])
        status.details.add().Pack(failure)
        operation = lr.Operation(name=name, done=True)
        operation.response.Pack(re2.ExecuteResponse(status=status))
        return operation

    # ---- storage

    def GetCapabilities(self, request, context):
        low, high, function = (2, 0), (2, 3), re2.DigestFunction.SHA256
        if self.lying("old_api"):
            low, high = (1, 0), (1, 9)
        if self.lying("no_sha256"):
            function = re2.DigestFunction.BLAKE3
        c = re2.ServerCapabilities()
        c.cache_capabilities.digest_functions.append(function)
        c.cache_capabilities.action_cache_update_capabilities.update_enabled = True
        c.execution_capabilities.digest_function = function
        c.execution_capabilities.digest_functions.append(function)
        c.execution_capabilities.exec_enabled = True
        c.low_api_version.major, c.low_api_version.minor = low
        c.high_api_version.major, c.high_api_version.minor = high
        return c

    def GetActionResult(self, request, context):
        result = self.results.get(request.action_digest.hash)
        if self.case == "garbage" and result is not None and self.lying("garbage"):
            return b"\x12\xff\xff\xff\xff\x0f garbage"
        if result is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no result")
        self.add("hits")
        return result

    def UpdateActionResult(self, request, context):
        self.results[request.action_digest.hash] = request.action_result
        return request.action_result

    def FindMissingBlobs(self, request, context):
        return re2.FindMissingBlobsResponse(missing_blob_digests=[
            d for d in request.blob_digests if d.hash not in self.blobs])

    def BatchUpdateBlobs(self, request, context):
        reply = re2.BatchUpdateBlobsResponse()
        for r in reversed(request.requests):  # "in any order"
            code = 0 if reapi.digest(r.data) == r.digest else grpc.StatusCode.INVALID_ARGUMENT.value[0]
            if code == 0:
                self.put(r.data)
                self.add("uploads")
            reply.responses.add(digest=r.digest, status=rpc_status.Status(code=code))
        return reply

    def read(self, d):
        """The bytes of a blob, as the case wants them; None: gone."""
        data = self.blobs.get(d)
        if data and d in self.outputs:
            if self.lying("wrong_digest"):
                data = bytes([data[0] ^ 1]) + data[1:]
            elif self.lying("truncated"):
                data = data[:len(data) // 2]
        return data

    def BatchReadBlobs(self, request, context):
        reply = re2.BatchReadBlobsResponse()
        for d in reversed(request.digests):
            data = self.read(d.hash)
            if data is None:
                reply.responses.add(digest=d, status=rpc_status.Status(code=grpc.StatusCode.NOT_FOUND.value[0]))
                continue
            if d.hash in self.outputs:
                if self.lying("oversized"):
                    data += bytes(80 << 20)
                elif self.lying("endless"):
                    data += bytes(1 << 20)
            reply.responses.add(digest=d, data=data)
        return reply

    def Read(self, request, context):
        words = request.resource_name.split("/")
        d = words[words.index("blobs") + 1]
        data = self.read(d)
        if data is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no blob")
        if d in self.outputs and self.lying("oversized"):
            yield bs.ReadResponse(data=data + bytes(80 << 20))
            return
        for at in range(request.read_offset, len(data), 1 << 20):
            yield bs.ReadResponse(data=data[at:at + (1 << 20)])
        if d in self.outputs and self.lying("endless"):
            while context.is_active() and not self.ended.is_set():
                yield bs.ReadResponse(data=bytes(1 << 16))

    def Write(self, requests, context):
        name, parts = "", []
        for r in requests:
            name = name or r.resource_name
            parts.append(r.data)
        data = b"".join(parts)
        words = name.split("/")
        if reapi.digest(data).hash != words[words.index("blobs") + 1]:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "another digest than the name says")
        self.put(data)
        self.add("uploads")
        return bs.WriteResponse(committed_size=len(data))

    def command(self, line):
        if line == "good":
            self.case = "honest"
            self.results.clear()
            self.operations.clear()
        elif line == "lose":
            for d in self.outputs:
                if self.blobs.pop(d, None) is not None:
                    self.add("lies")
        elif line == "count":
            return " ".join(f"{k}={v}" for k, v in self.count.items())
        else:
            return None
        return line


def is_object(path):
    return path.endswith((".o", ".pch", ".gch"))


def handlers(s):
    """The services with serialisers that let bytes through as they are (for garbage)."""
    raw = lambda m: m if isinstance(m, bytes) else m.SerializeToString()  # noqa: E731
    unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    v2, empty = "build.bazel.remote.execution.v2.", lr.CancelOperationRequest
    table = [
        (v2 + "Capabilities", "GetCapabilities", unary, re2.GetCapabilitiesRequest),
        (v2 + "ActionCache", "GetActionResult", unary, re2.GetActionResultRequest),
        (v2 + "ActionCache", "UpdateActionResult", unary, re2.UpdateActionResultRequest),
        (v2 + "ContentAddressableStorage", "FindMissingBlobs", unary, re2.FindMissingBlobsRequest),
        (v2 + "ContentAddressableStorage", "BatchUpdateBlobs", unary, re2.BatchUpdateBlobsRequest),
        (v2 + "ContentAddressableStorage", "BatchReadBlobs", unary, re2.BatchReadBlobsRequest),
        (v2 + "Execution", "Execute", stream, re2.ExecuteRequest),
        (v2 + "Execution", "WaitExecution", stream, re2.WaitExecutionRequest),
        ("google.longrunning.Operations", "CancelOperation", unary, empty),
        ("google.bytestream.ByteStream", "Read", stream, bs.ReadRequest),
        ("google.bytestream.ByteStream", "Write", grpc.stream_unary_rpc_method_handler, bs.WriteRequest),
    ]
    services = {}
    for service, method, kind, request in table:
        services.setdefault(service, {})[method] = kind(getattr(s, method), request.FromString, raw)
    return [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in CASES:
        sys.exit(__doc__ + "\nCASE is one of:\n" + "\n".join(f"  {k:16} {v}" for k, v in CASES.items()))
    s = Server(sys.argv[1])
    server = grpc.server(futures.ThreadPoolExecutor(256), handlers=handlers(s), options=[
        ("grpc.max_receive_message_length", SIZE), ("grpc.max_send_message_length", SIZE), ("grpc.so_reuseport", 0)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print("READY", port, flush=True)
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        answer = s.command(line.strip())
        print(f"OK {answer}" if answer is not None else f"ERROR unknown command {line.strip()}", flush=True)
    s.ended.set()
    server.stop(0)
    os._exit(0)  # not waiting for calls that hang by intention


if __name__ == "__main__":
    main()
