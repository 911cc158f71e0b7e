"""Do fault_proxy.py and fake_hostile.py do what they say? selftest.py CASD_PORT; the client is grpcio."""
import os
import subprocess
import sys
import time

import grpc
import reapi

HERE = os.path.dirname(os.path.abspath(__file__))
casd = int(sys.argv[1])


class Peer:
    def __init__(self, *argv):
        self.p = subprocess.Popen([sys.executable, os.path.join(HERE, argv[0]), *argv[1:]], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        word, port = self.p.stdout.readline().split()
        assert word == "READY"
        self.target = f"127.0.0.1:{port}"

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        answer = self.p.stdout.readline().strip()
        assert answer.startswith("OK"), answer
        return answer

    def count(self, key):
        return int(dict(w.split("=") for w in self.say("count").split()[1:])[key])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.stdin.close()
        assert self.p.wait(20) == 0, "the peer does not end with its input"


def fails(code, call, *args):
    try:
        call(*args)
    except grpc.RpcError as e:
        assert e.code() in code, f"{e.code()} {e.details()}"
        return e
    raise AssertionError(f"{call} did not fail")


def compile_one(client, text=b"int x;"):
    return client.run(["clang-22", "-c", "a.c", "-o", "a.o"], {"a.c": text}, ["a.o"])


UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE,)


def test_proxy_tcp():
    with Peer("fault_proxy.py", str(casd)) as p:
        c = reapi.Client(p.target, timeout=20)
        big = os.urandom(9 << 20)
        assert c.get(c.put(big)) == big
        assert compile_one(c).result.exit_code == 0
        p.say("latency 200")
        start = time.monotonic()
        c.capabilities()
        took = time.monotonic() - start
        assert took >= 0.2, took
        p.say("reset 200")
        fails(UNAVAILABLE, c.put, os.urandom(9 << 20))
        assert p.count("resets") >= 1
        p.say("pass")
        reapi.Client(p.target).capabilities()
        p.say("blackhole")
        fails((grpc.StatusCode.DEADLINE_EXCEEDED,), reapi.Client(p.target, timeout=0.5).capabilities)
        p.say("cut")
        fails(UNAVAILABLE, reapi.Client(p.target).capabilities)
        p.say("pass")
        reapi.Client(p.target).capabilities()


def test_proxy_grpc():
    with Peer("fault_proxy.py", str(casd), "--grpc") as p:
        c = reapi.Client(p.target)
        big = os.urandom(9 << 20)
        assert c.get(c.put(big)) == big
        assert compile_one(c).result.exit_code == 0
        p.say("unavailable 1 70")
        e = fails(UNAVAILABLE, c.capabilities)
        status = reapi.rpc_status.Status.FromString(dict(e.trailing_metadata())["grpc-status-details-bin"])
        info = reapi.rpc_status.RetryInfo()
        assert status.details[0].Unpack(info) and info.retry_delay.ToMilliseconds() == 70
        p.say("unavailable 3")
        c.capabilities(), c.capabilities()
        fails(UNAVAILABLE, c.capabilities)
        p.say("exhausted 1 Write,BatchUpdate")
        c.capabilities()
        fails((grpc.StatusCode.RESOURCE_EXHAUSTED,), c.put, b"abc")
        assert p.count("refused") == 3
        # what the server itself says comes through
        p.say("pass")
        fails((grpc.StatusCode.NOT_FOUND,), c.ac.GetActionResult, reapi.re2.GetActionResultRequest(
            action_digest=reapi.digest(b"nobody")))


def test_honest():
    """The fake and the real server agree about a compile; so the fake's lies are all that is wrong with it."""
    real = reapi.Client(f"127.0.0.1:{casd}")
    with Peer("fake_hostile.py", "honest") as p:
        c = reapi.Client(p.target)
        for text in (b"int x;", b"int y = ;"):
            one, two = compile_one(real, text), compile_one(c, text)
            assert one.status.code == two.status.code == 0
            assert one.result.exit_code == two.result.exit_code
            assert list(one.result.output_files) == list(two.result.output_files)
            assert real.get(one.result.stderr_digest) == c.get(two.result.stderr_digest)


def test_lies():
    def result(case):
        with Peer("fake_hostile.py", case) as p:
            c = reapi.Client(p.target)
            r = compile_one(c).result
            lies = p.count("lies")
            assert lies >= 1, case
            return c, r, [f.path for f in r.output_files]

    assert "../../../x-waybill-hostile" in result("parent_path")[2]
    assert "/etc/waybill-hostile" in result("absolute_path")[2]
    _, r, paths = result("symlink_output")
    assert not paths and r.output_symlinks[0].target == "/etc/passwd"
    assert result("directory_output")[1].output_directories[0].path == "a.o"
    assert result("no_object")[2] == [] and result("nothing_captured")[2] == []
    assert result("no_compiler")[1].exit_code == 1
    assert result("huge_size")[1].output_files[0].digest.size_bytes == 1 << 50
    for case, codes in (("missing_always", (grpc.StatusCode.FAILED_PRECONDITION,)), ("hang", (grpc.StatusCode.DEADLINE_EXCEEDED,)),
                        ("endless_execute", (grpc.StatusCode.DEADLINE_EXCEEDED,)), ("broken_stream", UNAVAILABLE),
                        ("oversized", (grpc.StatusCode.RESOURCE_EXHAUSTED,)), ("garbage", (grpc.StatusCode.INTERNAL,))):
        with Peer("fake_hostile.py", case) as p:
            c = reapi.Client(p.target, timeout=2 if grpc.StatusCode.DEADLINE_EXCEEDED in codes else 60)
            try:
                r = compile_one(c)
                assert case == "missing_always" and r.status.code == 9 and "PreconditionFailure" in r.status.details[0].type_url
            except grpc.RpcError as e:
                assert e.code() in codes, f"{case}: {e.code()} {e.details()}"
            except Exception as e:
                assert case == "garbage", f"{case}: {e!r}"
            assert p.count("lies") >= 1, case
    for case in ("wrong_digest", "truncated"):
        with Peer("fake_hostile.py", case) as p:
            c = reapi.Client(p.target)
            f = compile_one(c).result.output_files[0]
            assert reapi.digest(c.get(f.digest)) != f.digest, case
    with Peer("fake_hostile.py", "endless") as p:
        c = reapi.Client(p.target)
        f = compile_one(c).result.output_files[0]
        c.timeout = 1
        fails((grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED), c.get, f.digest)
    with Peer("fake_hostile.py", "lost_blobs") as p:
        c = reapi.Client(p.target)
        f = compile_one(c).result.output_files[0]
        assert c.get(f.digest)
        p.say("lose")
        fails((grpc.StatusCode.NOT_FOUND,), c.get, f.digest)
    with Peer("fake_hostile.py", "old_api") as p:
        assert reapi.Client(p.target).capabilities().high_api_version.major == 1
    with Peer("fake_hostile.py", "no_sha256") as p:
        assert list(reapi.Client(p.target).capabilities().cache_capabilities.digest_functions) == [9]


for name, test in list(globals().items()):
    if name.startswith("test_"):
        print("==", name, flush=True)
        test()
