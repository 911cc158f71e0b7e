"""A proxy that breaks things, between a gRPC client and a server on this machine.

    fault_proxy.py UPSTREAM_PORT [--grpc] [--listen PORT] [--seed N]

Prints `READY PORT`. Reads one command a line from standard input, answers each with one line (`OK ...` or `ERROR ...`), and
ends at the end of its input, so it does not outlive its test. Bytes are forwarded as they are; with --grpc every call is
taken apart and made again, so that single calls can be refused:

    pass                       forward everything; undoes every mode
    cut                        reset all connections and refuse new ones (the port is closed)
    latency MS                 a round trip takes MS longer
    reset KB                   reset each connection after about so many kilobytes (half to one and a half)
    blackhole                  accept, and forward nothing more, on old connections too
    unavailable K [RETRY_MS]   every K-th call ends UNAVAILABLE, with a RetryInfo detail if RETRY_MS is given   (--grpc)
    exhausted K [METHOD,...]   every K-th call (of methods with such a name) ends RESOURCE_EXHAUSTED            (--grpc)
    count                      OK connections=N resets=N bytes=N calls=N refused=N
    quit
"""
import argparse
import asyncio
import random
import socket
import struct
import sys
import threading
from concurrent import futures

CHUNK = 1 << 16


class Faults:
    """The mode, and what happened so far. One writer (the command loop); the counters belong to its loop or a lock."""

    def __init__(self):
        self.mode, self.argument, self.methods, self.retry_ms = "pass", 0, (), None
        self.connections = self.resets = self.bytes = self.calls = self.refused = 0
        self.lock = threading.Lock()

    def refuse(self, method):
        """Does this call get refused? Counts it."""
        with self.lock:
            self.calls += 1
            if self.mode not in ("unavailable", "exhausted"):
                return False
            if self.methods and not any(m in method for m in self.methods):
                return False
            self.turn += 1
            if self.turn % self.argument:
                return False
            self.refused += 1
            return True

    turn = 0


class Tcp:
    def __init__(self, faults, upstream, port, seed):
        self.faults, self.upstream = faults, upstream
        self.random = random.Random(seed)
        self.server, self.open = None, set()
        # Bound for good, though nobody listens here: while the port is closed, nobody else can have it.
        self.kept = socket.socket()
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            self.kept.setsockopt(socket.SOL_SOCKET, option, 1)
        self.kept.bind(("127.0.0.1", port))
        self.port = self.kept.getsockname()[1]

    async def listen(self):
        if self.server is None:
            self.server = await asyncio.start_server(self.connection, "127.0.0.1", self.port, backlog=512, reuse_port=True)

    async def close(self):
        if self.server is not None:
            self.server.close()
            self.server = None
        for writer in list(self.open):
            self.reset(writer)

    def reset(self, writer):
        """RST in place of FIN, towards both ends of the pair."""
        for w in (writer, getattr(writer, "peer", None)):
            if w is None:
                continue
            sock = w.get_extra_info("socket")
            if sock is not None and not w.is_closing():
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                except OSError:
                    pass
            w.transport.abort()

    async def connection(self, reader, writer):
        self.faults.connections += 1
        self.open.add(writer)
        try:
            if self.faults.mode == "blackhole":
                await self.swallow(reader)
                return
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
            writer.peer, up_writer.peer = up_writer, writer
            budget = [self.budget()]
            await asyncio.gather(self.pump(reader, up_writer, writer, budget), self.pump(up_reader, writer, writer, budget))
        except OSError:
            self.reset(writer)
        finally:
            self.open.discard(writer)
            writer.transport.abort()

    def budget(self):
        """Bytes until this connection is reset; None: never. Drawn when the mode is seen first."""
        if self.faults.mode != "reset":
            return None
        return int(self.faults.argument * 1024 * self.random.uniform(0.5, 1.5))

    async def swallow(self, reader):
        """Take nothing out of the socket while the black hole lasts; afterwards the connection is of no use."""
        while self.faults.mode == "blackhole" and not reader.at_eof():
            await asyncio.sleep(0.05)

    async def pump(self, reader, writer, client, budget):
        loop = asyncio.get_running_loop()
        queue = asyncio.Queue(1024)

        async def forward():  # delivers in order, each chunk when its time has come
            while True:
                due, data = await queue.get()
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                if data is None:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()

        task = asyncio.create_task(forward())
        try:
            while True:
                data = await reader.read(CHUNK)
                mode = self.faults.mode
                if mode == "blackhole":
                    await self.swallow(reader)
                    self.reset(client)
                    return
                self.faults.bytes += len(data)
                if mode == "reset":
                    if budget[0] is None:
                        budget[0] = self.budget()
                    budget[0] -= len(data)
                    if budget[0] < 0:
                        self.faults.resets += 1
                        self.reset(client)
                        return
                delay = self.faults.argument / 2000 if mode == "latency" else 0
                await queue.put((loop.time() + delay, data or None))
                if not data:
                    await task
                    return
        except (OSError, asyncio.IncompleteReadError):
            self.reset(client)
        finally:
            task.cancel()
            try:
                await task
            except (asyncio.CancelledError, OSError):
                pass


def grpc_layer(faults, upstream):
    """A gRPC server that makes every call again on `upstream`; returns its port and the server."""
    import grpc
    import reapi

    size = 256 << 20
    options = [("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", size), ("grpc.so_reuseport", 0)]
    local = threading.local()  # a channel a thread would be too many; a few are enough against one lock
    channels = [grpc.insecure_channel(f"127.0.0.1:{upstream}", options=options + [
        ("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 500)]) for _ in range(4)]

    def channel():
        if not hasattr(local, "channel"):
            local.channel = random.choice(channels)
        return local.channel

    class Generic(grpc.GenericRpcHandler):
        def service(self, details):
            method = details.method

            def run(requests, context):
                if faults.refuse(method):
                    code = grpc.StatusCode.UNAVAILABLE
                    text = "the proxy says: try again"
                    if faults.mode == "exhausted":
                        code, text = grpc.StatusCode.RESOURCE_EXHAUSTED, "no space left on device"
                    if faults.retry_ms is not None:
                        status = reapi.rpc_status.Status(code=code.value[0], message=text)
                        info = reapi.rpc_status.RetryInfo()
                        info.retry_delay.FromMilliseconds(faults.retry_ms)
                        status.details.add().Pack(info)
                        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
                    context.set_code(code)
                    context.set_details(text)
                    return
                metadata = [(k, v) for k, v in context.invocation_metadata() if not k.startswith(("grpc-", "user-agent", ":"))]
                left = context.time_remaining()  # without a deadline: a number too large to be given on
                call = channel().stream_stream(method)(requests, metadata=metadata,
                                                       timeout=left if left is not None and left < 1e6 else None)
                context.add_callback(call.cancel)
                try:
                    yield from call
                except grpc.RpcError:
                    pass
                context.set_trailing_metadata(tuple(call.trailing_metadata() or ()))
                context.set_code(call.code())
                context.set_details(call.details() or "")

            return grpc.stream_stream_rpc_method_handler(run)

    server = grpc.server(futures.ThreadPoolExecutor(512), handlers=[Generic()], options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return port, server


async def command(line, faults, tcp, has_grpc):
    words = line.split()
    name, args = words[0], words[1:]
    if name == "count":
        return (f"connections={faults.connections} resets={faults.resets} bytes={faults.bytes} "
                f"calls={faults.calls} refused={faults.refused}")
    if name not in ("pass", "cut", "latency", "reset", "blackhole", "unavailable", "exhausted"):
        raise ValueError(f"unknown command {name}")
    if name in ("unavailable", "exhausted") and not has_grpc:
        raise ValueError(f"{name} needs --grpc")
    argument = int(args[0]) if name in ("latency", "reset", "unavailable", "exhausted") else 0
    with faults.lock:
        faults.retry_ms = int(args[1]) if name == "unavailable" and len(args) > 1 else None
        faults.methods = tuple(args[1].split(",")) if name == "exhausted" and len(args) > 1 else ()
        faults.argument, faults.mode, faults.turn = argument, name, 0
    if name == "cut":
        await tcp.close()
    else:
        await tcp.listen()
    return line


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("upstream", type=int)
    p.add_argument("--listen", type=int, default=0)
    p.add_argument("--grpc", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    faults, server, upstream = Faults(), None, a.upstream
    if a.grpc:
        upstream, server = grpc_layer(faults, upstream)
    tcp = Tcp(faults, upstream, a.listen, a.seed)
    await tcp.listen()
    print("READY", tcp.port, flush=True)
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while True:
        line = (await stdin.readline()).decode()
        if not line or line.strip() == "quit":
            break
        try:
            print("OK", await command(line.strip(), faults, tcp, a.grpc), flush=True)
        except (ValueError, IndexError, OSError) as e:
            print("ERROR", e, flush=True)
    await tcp.close()
    if server is not None:
        server.stop(0)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
