"""Many callers, bad callers and callers that vanish, against waybill.v1.Scanner of a running daemon.

scan_load.py UNIX_ADDRESS TCP_ADDRESS DATABASE DAEMON_PID

Every part says what it expects in terms of answers and of their order, never of times.
"""
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys

import grpc

from scan_client import ENV, entries, fail, same_answer
import health_pb2
import health_pb2_grpc
import waybill_pb2 as wb
import waybill_pb2_grpc as wb_grpc

CALLERS, CONNECTIONS, FLOOD = 1000, 20, 400
OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", -1),
           ("grpc.use_local_subchannel_pool", 1)]  # else all channels would share one connection
CODE = grpc.StatusCode


def status(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(key + ":"))


def descriptors(pid):
    """Open files, but not those opened only to ask what they are (O_PATH): the scanner keeps some thousand of these."""
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                flags = next(int(line.split()[1], 8) for line in f if line.startswith("flags:"))
        except (OSError, StopIteration):
            continue
        n += not flags & os.O_PATH
    return n


def channel(address):
    return grpc.aio.insecure_channel(address, options=OPTIONS)


async def code_of(call):
    """How a call ended: a status code."""
    try:
        await call
        return CODE.OK
    except grpc.aio.AioRpcError as e:
        return e.code()
    except asyncio.CancelledError:
        return CODE.CANCELLED


async def many_callers(addresses, request, answer):
    channels = [channel(addresses[i % len(addresses)]) for i in range(CONNECTIONS)]
    stubs = [wb_grpc.ScannerStub(c) for c in channels]
    replies = await asyncio.gather(*(stubs[i % CONNECTIONS].Scan(request, timeout=600) for i in range(CALLERS)))
    for r in replies:
        if not same_answer(r, answer):
            fail(f"one of {CALLERS} callers got another answer: {r.local_reason} {r.local_reason_text}")
    for c in channels:
        await c.close()
    print(f"{len(replies)} callers at once, {CONNECTIONS} connections: {len(replies)} equal answers")


async def malformed(address):
    async with channel(address) as c:
        scan = c.unary_unary("/waybill.v1.Scanner/Scan")  # raw bytes
        database = c.unary_stream("/waybill.v1.Scanner/ScanDatabase")
        noise = random.Random(1)
        bombs = {
            "a cut message": b"\x0a\x05ab",
            "a wrong wire type": b"\x0d\x00\x00\x00\x00\xff",
            "an endless varint": b"\xff" * 64,
            "2,000,000 empty words": b"\x0a\x00" * 2_000_000,
            "2,000,000 empty settings": b"\x32\x00" * 2_000_000,
            "settings of settings": b"\x32\x02\x0a\x00" * 200_000,
        }
        for i in range(100):
            bombs[f"noise {i}"] = noise.randbytes(noise.randrange(1, 400))
        for what, data in bombs.items():
            got = await code_of(scan(data, timeout=120))
            if got not in (CODE.INVALID_ARGUMENT, CODE.RESOURCE_EXHAUSTED):
                fail(f"{what}: {got}")
        stream = database(b"\x0a\x05ab", timeout=120)
        if await stream.code() != CODE.INVALID_ARGUMENT:
            fail(f"a cut message to ScanDatabase: {await stream.code()}")
        # One byte over the limit of a request.
        got = await code_of(scan(b"\x0a\x80\x80\x80\x20" + bytes(64 << 20), timeout=120))
        if got != CODE.RESOURCE_EXHAUSTED:
            fail(f"a request of more than 64 MiB: {got}")
    print(f"{len(bombs) + 2} malformed and oversized requests refused")


def garbage(address):
    """Connections that do not speak gRPC, or stop in the middle of a word."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    noise = random.Random(2)
    talk = [b"", b"P", b"PRI ", preface[:20], preface, preface + b"\0\0\0\4\0\0\0\0\0", preface + noise.randbytes(4000),
            b"GET / HTTP/1.1\r\n\r\n", noise.randbytes(4000), preface + b"\xff\xff\xff\1\4\0\0\0\1" + bytes(20000)]
    for i in range(10 * len(talk)):
        if address.startswith("unix:"):
            s = socket.socket(socket.AF_UNIX)
            s.connect(address[5:])
        else:
            s = socket.create_connection(address.rsplit(":", 1))
        try:
            s.sendall(talk[i % len(talk)])
        except OSError:
            pass  # it hung up on us, as it may
        s.close()
    print(f"{10 * len(talk)} connections with something else on them: hung up")


async def vanish(address, request, database):
    """Cancelled calls; processes killed in the middle of a stream; streams that nobody reads."""
    async with channel(address) as c:
        stub = wb_grpc.ScannerStub(c)
        calls = [stub.Scan(request, timeout=600) for _ in range(300)]
        ends = [asyncio.ensure_future(code_of(call)) for call in calls]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for call in calls:
            call.cancel()
        codes = await asyncio.gather(*ends)
        if set(codes) - {CODE.OK, CODE.CANCELLED}:
            fail(f"cancelled calls ended with {set(codes)}")
        unread = [stub.ScanDatabase(wb.ScanDatabaseRequest(path=database, env=ENV, want_blobs=True)) for _ in range(4)]
        for stream in unread:
            await stream.read()
        for stream in unread:
            stream.cancel()
        short = stub.Scan(request, timeout=0.000001)
        if await code_of(short) != CODE.DEADLINE_EXCEEDED:
            fail(f"a call without time: {await short.code()}")
    children = [subprocess.Popen([sys.executable, __file__, "child", address, os.fsdecode(database)], stdout=subprocess.PIPE)
                for _ in range(4)]
    for p in children:
        if p.stdout.read(1) != b"x":
            fail("a child got no reply")
        p.send_signal(signal.SIGKILL)
        p.wait()
    print(f"{codes.count(CODE.CANCELLED)} calls cancelled, {len(children)} clients killed, {len(unread)} streams left unread")


def child(address, database):
    """Until it is killed."""
    stub = wb_grpc.ScannerStub(grpc.insecure_channel(address, options=OPTIONS))
    while True:
        for _ in stub.ScanDatabase(wb.ScanDatabaseRequest(path=os.fsencode(database), env=ENV, want_blobs=True)):
            sys.stdout.write("x")
            sys.stdout.flush()


async def fairness(addresses, request):
    """A single caller does not stand behind everything that another one has asked for."""
    async with channel(addresses[0]) as flood, channel(addresses[-1]) as single:
        await flood.channel_ready()
        await single.channel_ready()
        stub, done = wb_grpc.ScannerStub(flood), 0

        async def one():
            nonlocal done
            await stub.Scan(request, timeout=600)
            done += 1

        tasks = [asyncio.ensure_future(one()) for _ in range(FLOOD)]
        while done == 0:
            await asyncio.sleep(0)
        before = done
        await wb_grpc.ScannerStub(single).Scan(request, timeout=600)
        meanwhile = done - before
        await asyncio.gather(*tasks)
    if meanwhile > FLOOD // 2:
        fail(f"a single caller waited for {meanwhile} of another's {FLOOD} calls")
    print(f"a single caller was answered while another waited for {FLOOD} calls")


async def settled(pid, most):
    """Wait until the daemon has let go of connections: the kernel and gRPC take a moment."""
    for _ in range(600):
        if descriptors(pid) <= most:
            return
        await asyncio.sleep(0.1)
    fail(f"the daemon has {descriptors(pid)} open files, {most} at most were expected")


async def main(unix, tcp, database, pid):
    argv, cwd, file = next(e for e in entries(database) if not e[2].endswith(b".hxx.cxx"))
    request = wb.ScanRequest(argv=argv, cwd=cwd, env=ENV, want_blobs=True)
    async with channel(unix) as c:
        answer = await wb_grpc.ScannerStub(c).Scan(request, timeout=120)
    if answer.local_reason:
        fail(f"{file}: {answer.local_reason} {answer.local_reason_text}")
    files = descriptors(pid)
    await many_callers([unix, tcp], request, answer)
    await malformed(unix)
    await malformed(tcp)
    garbage(unix)
    garbage(tcp)
    await vanish(unix, request, os.fsencode(database))
    await vanish(tcp, request, os.fsencode(database))
    await fairness([unix, tcp], request)
    await settled(pid, files + 8)
    async with channel(unix) as c:
        health = await health_pb2_grpc.HealthStub(c).Check(health_pb2.HealthCheckRequest(), timeout=60)
        if health.status != health_pb2.HealthCheckResponse.SERVING or \
                not same_answer(await wb_grpc.ScannerStub(c).Scan(request, timeout=120), answer):
            fail("afterwards the daemon answers otherwise")
    peak, sanitizer = status(pid, "VmHWM") >> 10, status(pid, "VmSize") > 1 << 30  # the shadow alone has terabytes
    if peak > (4000 if sanitizer else 1500):
        fail(f"the daemon grew to {peak} MiB")
    print(f"the daemon never had more than {peak} MiB, and no file more than before")


if __name__ == "__main__":
    if sys.argv[1] == "child":
        child(*sys.argv[2:])
    else:
        asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
