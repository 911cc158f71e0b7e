"""An independent client of waybill.v1.Scanner: grpcio and the protos of proto/, nothing of Waybill's.

scan_client.py check ADDRESS DATABASE OTHER_ADDRESS     answers agree with each other and with the compiler's own -M
scan_client.py execute ADDRESS DATABASE CASD            upload what the answers name, execute, compare with the build
scan_client.py services ADDRESS                         health, reflection, Stats, errors

ADDRESS is gRPC's: unix:/path or 127.0.0.1:port. DATABASE is the compile_commands.json of a build that was made through the
launcher with the embedded backend, so that its precompiled headers and objects are there.
"""
import json
import os
import subprocess
import sys

import grpc

import reapi
import health_pb2
import health_pb2_grpc
import remote_execution_pb2 as re2
import waybill_pb2 as wb
import waybill_pb2_grpc as wb_grpc

MAX = 64 << 20
ENV = [os.fsencode(f"{k}={v}") for k, v in os.environ.items()]


def channel(address):
    return grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", MAX)])


def stub(address):
    return wb_grpc.ScannerStub(channel(address))


def fail(text):
    sys.exit(f"FAIL: {text:.4000}")


def expect(what, code, call, says=""):
    try:
        reply = call()
        if not isinstance(reply, wb.ScanReply) and hasattr(reply, "__iter__"):
            list(reply)
    except grpc.RpcError as e:
        if e.code() != code or says not in e.details():
            fail(f"{what}: {e.code()} '{e.details()}', expected {code} '{says}'")
        return
    fail(f"{what}: was answered, expected {code}")


def entries(path):
    """Argument vectors of a database, split by a shell, without the launcher."""
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        database = json.load(f)
    out = []
    for e in database:
        words = subprocess.run(["sh", "-c", "printf '%s\\0' " + e["command"]], capture_output=True, check=True).stdout
        argv = words.split(b"\0")[:-1]
        if os.path.basename(argv[0]) == b"waybill":
            argv = argv[1:]
        out.append((argv, os.fsencode(e["directory"]), os.fsencode(e["file"])))
    return out


def scan_database(address, path, **want):
    """Replies by index, after checking the account of progress."""
    replies = {}
    for n, r in enumerate(stub(address).ScanDatabase(wb.ScanDatabaseRequest(path=os.fsencode(path), env=ENV, **want),
                                                     timeout=300), 1):
        if r.done != n or r.index in replies:
            fail(f"reply {n} says done={r.done} index={r.index}")
        replies[r.index] = r
        total = r.total
    if not replies or len(replies) != total:
        fail(f"{len(replies)} replies of {total}")
    return replies


# ---- check


def depends(argv, cwd):
    """The compiler's own list of what a command reads, as real paths; it runs in `cwd`."""
    out, skip = [], False
    for i, a in enumerate(argv):
        if skip:
            skip = False
        elif argv[i:i + 2] == [b"-Xclang", b"-emit-pch"]:
            skip = True  # it would win over -M
        elif a in (b"-o", b"-MF", b"-MT", b"-MQ"):
            skip = True
        elif a not in (b"-c", b"-MD", b"-MMD"):
            out.append(a)
    r = subprocess.run([*out, b"-M", b"-MT", b"x"], cwd=cwd, capture_output=True)
    if r.returncode != 0:
        fail(f"{argv}: {os.fsdecode(r.stderr)}")
    if not r.stdout.startswith(b"x:"):
        fail(f"{argv}: -M says {r.stdout[:80]}")
    text = r.stdout[2:].replace(b"\\\n", b" ")
    words = text.replace(b"\\ ", b"\0").split()
    names = [w.replace(b"\0", b" ").replace(b"$$", b"$").replace(b"\\#", b"#") for w in words]
    # A precompiled header of Waybill's names what it read by way of the reader's own working directory (docs/pch.md).
    return {os.path.realpath(os.path.join(cwd, n.removeprefix(b"/proc/self/cwd/"))) for n in names}


def same_answer(a, b):
    """Equal but for the times."""
    a, b = wb.ScanReply.FromString(a.SerializeToString()), wb.ScanReply.FromString(b.SerializeToString())
    del a.stages[:]
    del b.stages[:]
    return a == b


def check_reply(argv, cwd, reply, in_pch):
    read = {os.path.realpath(i.path) for i in reply.inputs if i.kind == wb.Input.FILE}
    read |= {os.path.realpath(s.path) for s in reply.system}
    oracle = depends(argv, cwd)
    uses_pch = any(i.why == "pch" for i in reply.inputs)
    # A use of a precompiled header carries the .pch in place of what only that header read.
    lost = oracle - read - (in_pch if uses_pch else set())
    if lost:
        fail(f"{argv}: the compiler reads {lost}, which the answer does not name")
    for i in reply.inputs:
        if i.kind == wb.Input.FILE and i.why in ("source", "include", "embed") and not i.replaced \
                and os.path.realpath(i.path) not in oracle | in_pch:
            fail(f"{argv}: {i.path} is {i.why} by {i.via}, but the compiler does not read it")
        if i.kind == wb.Input.FILE and i.digest != reapi.digest(open(i.path, "rb").read()):
            fail(f"{i.path}: not the digest of its content")
    for path in reply.missing:
        if os.path.lexists(path):
            fail(f"{path} is called missing and exists")
    if [i.path for i in reply.inputs] != sorted({i.path for i in reply.inputs}) or \
            list(reply.missing) != sorted(set(reply.missing)):
        fail("not sorted, or not unique")
    return oracle


def check(address, path, other):
    database = entries(path)
    streamed = scan_database(address, path, want_action=True)
    if len(streamed) != len(database):
        fail(f"{len(database)} entries, {len(streamed)} replies")
    one, two = stub(address), stub(other)
    # First those that make a precompiled header: what it read is known by way of it afterwards.
    makes_pch = {i: any(o.path.endswith((b".pch", b".gch")) for o in r.scan.outputs) for i, r in streamed.items()}
    in_pch, uses = set(), 0
    for index in sorted(streamed, key=lambda i: not makes_pch[i]):
        (argv, cwd, file), r = database[index], streamed[index]
        if r.file != file:
            fail(f"entry {index} is {file}, the reply says {r.file}")
        if r.scan.local_reason:
            fail(f"{file}: local: {r.scan.local_reason}: {r.scan.local_reason_text}")
        for s in (one, two):
            answer = s.Scan(wb.ScanRequest(argv=argv, cwd=cwd, env=ENV, want_action=True), timeout=60)
            if not same_answer(answer, r.scan):
                fail(f"{file}: Scan and ScanDatabase differ")
        read = check_reply(argv, cwd, r.scan, set() if makes_pch[index] else in_pch)
        if makes_pch[index]:
            in_pch |= read
        uses += any(i.why == "pch" for i in r.scan.inputs)
        if os.path.basename(r.scan.rewritten.argv[0]) == b"waybill":
            fail(f"{file}: the launcher is still there: {r.scan.rewritten.argv}")
    if uses == 0:
        fail("no command uses a precompiled header")
    print(f"{len(database)} commands, {uses} with a precompiled header: inputs agree with the compiler's -M")


# ---- execute


def upload(client, prepared, known):
    """FindMissingBlobs and upload, from nothing but the reply."""
    blobs = {b.digest.hash: (b.digest, b.data) for b in prepared.blobs}
    files = {f.digest.hash: (f.digest, f.path) for f in prepared.files}
    wanted = [d for h, (d, _) in {**blobs, **files}.items() if h not in known]
    for d in client.missing(wanted) if wanted else []:
        if d.hash in blobs:
            data = blobs[d.hash][1]
        else:
            with open(files[d.hash][1], "rb") as f:
                data = f.read()
        if client.put(data) != d:
            fail(f"{files.get(d.hash)}: the content is not what the digest says")
    known |= {d.hash for d in wanted}


def execute(address, path, casd):
    client, known = reapi.Client(casd), set()
    compared, kinds = 0, set()
    for _, r in sorted(scan_database(address, path, want_blobs=True).items()):
        if r.scan.local_reason or r.without_blobs:
            fail(f"{r.file}: {r.scan.local_reason} {r.scan.local_reason_text}, without blobs: {r.without_blobs}")
        upload(client, r.scan.action, known)
        response = client.execute(r.scan.action.action)
        if response.status.code != 0 or response.result.exit_code != 0:
            text = client.get(response.result.stderr_digest) if response.result.HasField("stderr_digest") else b""
            fail(f"{r.file}: {response.status} exit {response.result.exit_code}: {os.fsdecode(text)}")
        made = {os.fsencode(f.path): f.digest for f in response.result.output_files}
        for o in r.scan.outputs:
            if o.action_path not in made:
                if o.optional:
                    continue
                fail(f"{r.file}: the action made no {o.action_path}, only {list(made)}")
            kinds.add(os.path.splitext(o.path)[1])
            if o.kind == "depfile" or o.path.endswith(b".gch"):
                continue  # a depfile names the worker's paths, the launcher maps them back; gcc writes no .gch twice
            with open(o.path, "rb") as f:
                local = f.read()
            if reapi.digest(local) != made[o.action_path] or client.get(made[o.action_path]) != local:
                fail(f"{o.path} is not what the cluster made")
            compared += 1
    if compared == 0 or b".o" not in kinds or not kinds & {b".pch", b".gch"}:
        fail(f"only {compared} outputs compared, of kinds {kinds}")
    print(f"{compared} outputs of {len(known)} blobs are the same bytes: {sorted(kinds)}")


# ---- services


def services(address):
    c = channel(address)
    health = health_pb2_grpc.HealthStub(c)
    for service in ("", "waybill.v1.Scanner"):
        if health.Check(health_pb2.HealthCheckRequest(service=service), timeout=20).status != \
                health_pb2.HealthCheckResponse.SERVING:
            fail(f"health of '{service}'")
    expect("health of a service that is not there", grpc.StatusCode.NOT_FOUND,
           lambda: health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=20))
    check_reflection(c)
    check_errors(c)
    stats = wb_grpc.ScannerStub(c).Stats(wb.StatsRequest(), timeout=20)
    if "jobs" not in stats.counters or "store_bytes" not in stats.counters or not stats.version:
        fail(f"Stats: {stats}")
    print("health, reflection, errors and counters are as documented")


def check_reflection(c):
    """What grpcurl does: list the services, fetch the file of a symbol and all that it imports, build a message from it."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    sys.path.append(reapi.PROTO)
    reflection, reflection_grpc = grpc.protos_and_services("reflection.proto")
    ask = reflection_grpc.ServerReflectionStub(c).ServerReflectionInfo
    request = reflection.ServerReflectionRequest
    listed = next(ask(iter([request(list_services="")]), timeout=20))
    names = {s.name for s in listed.list_services_response.service}
    if not {"waybill.v1.Scanner", "grpc.health.v1.Health"} <= names:
        fail(f"reflection lists {names}")
    pool, todo = descriptor_pool.DescriptorPool(), [request(file_containing_symbol="waybill.v1.Scanner")]
    files = {}
    while todo:
        answer = next(ask(iter([todo.pop()]), timeout=20))
        if answer.HasField("error_response"):
            fail(f"reflection: {answer.error_response}")
        for data in answer.file_descriptor_response.file_descriptor_proto:
            f = descriptor_pb2.FileDescriptorProto.FromString(data)
            if f.name not in files:
                files[f.name] = f
                todo += [request(file_by_filename=d) for d in f.dependency if d not in files]

    def add(name):
        for d in files[name].dependency:
            add(d)
        pool.Add(files[name])

    add(next(n for n, f in files.items() if f.package == "waybill.v1"))
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName("waybill.v1.ScanRequest"))(argv=[b"cc"])
    if wb.ScanRequest.FromString(message.SerializeToString()).argv != [b"cc"]:
        fail("the reflected ScanRequest is another")


def check_errors(c):
    s, invalid = wb_grpc.ScannerStub(c), grpc.StatusCode.INVALID_ARGUMENT

    def scan(**fields):
        return lambda: s.Scan(wb.ScanRequest(**fields), timeout=20)

    expect("an empty request", invalid, scan(), "argv")
    expect("a relative cwd", invalid, scan(argv=[b"cc"], cwd=b"x"), "cwd")
    expect("no such cwd", invalid, scan(argv=[b"cc"], cwd=b"/no/such/place"), "cwd")
    expect("a NUL", invalid, scan(argv=[b"cc", b"a\0b"], cwd=b"/"), "argv[1]")
    expect("a setting of the daemon's", invalid,
           scan(argv=[b"cc"], cwd=b"/", settings=[wb.Setting(key="cache_dir", value=b"/tmp")]), "cache_dir")
    expect("no database", grpc.StatusCode.NOT_FOUND,
           lambda: s.ScanDatabase(wb.ScanDatabaseRequest(path=b"/no/such/compile_commands.json"), timeout=20), "/no/such")
    expect("no JSON", invalid, lambda: s.ScanDatabase(wb.ScanDatabaseRequest(path=os.fsencode(__file__)), timeout=20), ":1:1:")
    expect("an unknown method", grpc.StatusCode.UNIMPLEMENTED,
           lambda: c.unary_unary("/waybill.v1.Scanner/Fly")(b"", timeout=20))
    r = s.Scan(wb.ScanRequest(argv=[b"/usr/bin/cc", b"a.o", b"-o", b"a"], cwd=b"/", env=ENV), timeout=20)
    if r.local_reason != "not_a_compile" or r.inputs or r.HasField("rewritten"):
        fail(f"a link: {r}")


if __name__ == "__main__":
    {"check": check, "execute": execute, "services": services}[sys.argv[1]](*sys.argv[2:])
