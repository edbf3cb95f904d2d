#!/usr/bin/env python3
"""Black-box attacks on a server: bad frames, absurd numbers, slow, idle, many and killed clients, signals under load.

usage: limits.py [--server 'COMMAND with {port} and {dir}'] [--only PART,...] [--connections N] [--reconnects N]

Every test has a server of its own. What is asserted is behavior and memory that a client must not be able to drive
up; times are printed and only ever held against limits that mean 'it hangs'. Without --server the command is taken
from ALMAGRE_SERVER, else it is the release build of this checkout. Standard library only.
"""
import argparse
import errno
import json
import multiprocessing
import os
import random
import re
import resource
import selectors
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

from harness import HANGS_S, Server, Skip, Tally, Wire, WireError, pack, server_command, wait_until

MB = 1 << 20
OPT = argparse.Namespace()


def serve(*directives):
    return Server(OPT.server, *directives)


def healthy(server):
    assert server.alive(), f"the server died: {server.log()[-1500:]}"
    with Wire(server.port) as wire:
        assert wire.call("PING") == b"PONG"


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def raise_open_files(wanted):
    """Lifts RLIMIT_NOFILE for us and the servers we start; returns what was reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        except (ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


# ------------------------------------------------------------------ frames

MALFORMED = [
    (b"*\r\n", "Protocol error: invalid multibulk length"),
    (b"*x\r\n", "Protocol error: invalid multibulk length"),
    (b"*1 \r\n", "Protocol error: invalid multibulk length"),
    (b"*2147483648\r\n", "Protocol error: invalid multibulk length"),
    (b"*99999999999999999999\r\n", "Protocol error: invalid multibulk length"),
    (b"*1\r\n:1\r\n", "Protocol error: expected '$', got ':'"),
    (b"*1\r\n*1\r\n", "Protocol error: expected '$', got '*'"),
    (b"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"),
    (b"*1\r\n$x\r\n", "Protocol error: invalid bulk length"),
    (b"*1\r\n$\r\n", "Protocol error: invalid bulk length"),
    (b"*1\r\n$536870913\r\n", "Protocol error: invalid bulk length"),
    (b"*1\r\n$18446744073709551616\r\n", "Protocol error: invalid bulk length"),
    (b'SET k "unbalanced\r\n', "Protocol error: unbalanced quotes in request"),
    (b"SET k 'a'b\r\n", "Protocol error: unbalanced quotes in request"),
    (b"*" + b"1" * 70_000, "Protocol error: too big mbulk count string"),
    (b"*1\r\n$" + b"1" * 70_000, "Protocol error: too big bulk count string"),
    (b"x" * 70_000, "Protocol error: too big inline request"),
]


def malformed_frames():
    """Each gets its error text, after the replies that came before it, and then the connection is closed."""
    with serve() as server:
        for frame, text in MALFORMED:
            with Wire(server.port) as wire:
                wire.send(pack("PING") + frame)
                got = wire.rest()
            assert got == b"+PONG\r\n-ERR " + text.encode() + b"\r\n", f"{frame[:40]!r} got {got[:200]!r}"
        for frame in (b"*0\r\n", b"*-1\r\n", b"*-10\r\n", b"\r\n", b"\n"):
            with Wire(server.port) as wire:
                wire.send(frame + pack("PING"))
                assert wire.reply() == b"PONG", f"{frame!r} must be passed over"
        healthy(server)
    return f"{len(MALFORMED)} frames"


def garbage():
    """Random bytes, and other protocols, neither kill nor stall the server."""
    rng = random.Random(7)
    others = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(rng.randrange(256) for _ in range(500)),
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"set key 0 0 5\r\nvalue\r\n",
        bytes(1000),
        b"\xff" * 1000,
    ]
    with serve() as server:
        for i in range(400):
            frame = others[i] if i < len(others) else bytes(rng.randrange(256) for _ in range(rng.randrange(1, 300)))
            if i % 2:
                frame = b"*%d\r\n$%d\r\n" % (rng.randrange(5), rng.randrange(50)) + frame
            with Wire(server.port) as wire:
                wire.send(frame)
                wire.end_of_requests()
                wire.rest()
        healthy(server)


def http_request():
    """A browser made to talk to the port is cut off at its Host header or POST, unanswered, and its body is not run."""
    with serve() as server:
        for request in (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nSET a 1\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a 1\r\n",
        ):
            with Wire(server.port) as wire:
                wire.send(request)
                got = wire.rest()
            assert got == b"" or re.fullmatch(rb"-ERR wrong number of arguments for 'get' command\r\n", got), got
        with Wire(server.port) as wire:
            assert wire.call("EXISTS", "a") == 0, "the body of an HTTP request was executed"
        assert wait_until(lambda: "SECURITY ATTACK" in server.log()), "the log must say what was cut off"


def malformed_in_silence():
    """Who wants no replies is told nothing of a malformed frame either."""
    with serve() as server:
        for mode, reply in (("OFF", b""), ("SKIP", b""), ("ON", b"+OK\r\n-ERR Protocol error: expected '$', got ':'\r\n")):
            with Wire(server.port) as wire:
                wire.send(pack("CLIENT", "REPLY", mode) + b"*1\r\n:1\r\n")
                got = wire.rest()
            assert got == reply, f"{mode}: {got}"
        healthy(server)


def absurd_lengths():
    """Numbers that a client merely announces cost no memory, and the others are served meanwhile."""
    with serve() as server:
        healthy(server)
        before = server.rss_bytes()
        wires = []
        for frame in (b"*2147483647\r\n", b"*1\r\n$536870912\r\n", b"*1048576\r\n$3\r\nGET\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$400000000\r\nx"):
            for _ in range(50):
                wires.append(Wire(server.port))
                wires[-1].send(frame)
        with Wire(server.port) as probe:
            for _ in range(100):
                assert probe.call("PING") == b"PONG"
        grown = server.rss_bytes() - before
        for wire in wires:
            wire.close()
        assert grown < 64 * MB, f"{len(wires)} announcements took {grown / MB:.0f} MB"
        with Wire(server.port) as wire:
            wire.call("SET", "s", "x")
            for words in (("SETRANGE", "s", 2 ** 62, "x"), ("SETRANGE", "s", 536870912, "x")):
                try:
                    wire.call(*words)
                except WireError as error:
                    assert "string exceeds maximum allowed size" in str(error), error
                else:
                    raise AssertionError(f"{words} must be refused")
            assert wire.call("STRLEN", "s") == 1
            assert isinstance(wire.call("SCAN", 0, "COUNT", 2 ** 40), list)
        assert server.rss_bytes() - before < 64 * MB
        healthy(server)
    return f"grew by {grown / MB:.1f} MB"


def many_arguments():
    """A command of a million arguments is served; nested ones and long inline lines work up to their limits."""
    with serve() as server, Wire(server.port) as wire:
        assert wire.call("MGET", *["k"] * 1_000_000) == [None] * 1_000_000
        assert wire.call("DEL", *range(200_000)) == 0
        wire.send(b"ECHO " + b"x" * 60_000 + b"\r\n")
        assert wire.reply() == b"x" * 60_000
        wire.send(b'set "a\\x00\\r\\n b" \'it\\\'s\'\r\n')
        assert wire.reply() == b"OK" and wire.call("GET", b"a\x00\r\n b") == b"it's"


SCRIPT = (
    pack("SET", "k", b"binary\r\n$3\r\n\x00") + b"PING\r\n" + pack("GET", "k") + b"\r\n" + pack("INCR", "n")
    + pack("GET") + b'SET "quoted key" \'v\'\r\n' + pack("NOSUCH", "x") + pack("MGET", "k", "none", "quoted key")
    + b"*0\r\n" + pack("HELLO", "3") + pack("GET", "none") + pack("ECHO", b"") + pack("DEL", "k", "n", "quoted key")
)


def partial_frames():
    """Cut at every byte boundary, and sent byte by byte, a script gets the same replies as in one piece."""
    # HELLO names the connection's id, which differs between connections.
    mask = re.compile(rb"\$2\r\nid\r\n:\d+")

    def play(server, probe, *pieces):
        with Wire(server.port) as wire:
            for i, piece in enumerate(pieces):
                wire.send(piece)
                if i + 1 < len(pieces):
                    probe.call("PING")  # by the time of its reply the first piece has most likely been read
            wire.end_of_requests()
            return mask.sub(b"ID", wire.rest())

    with serve() as server, Wire(server.port) as probe:
        whole = play(server, probe, SCRIPT)
        assert whole.count(b"\r\n") > 20, whole
        for at in range(1, len(SCRIPT)):
            got = play(server, probe, SCRIPT[:at], SCRIPT[at:])
            assert got == whole, f"cut at byte {at}: {got!r}"
        got = play(server, probe, *(SCRIPT[i:i + 1] for i in range(len(SCRIPT))))
        assert got == whole, f"byte by byte: {got!r}"
    return f"{len(SCRIPT) - 1} boundaries"


def unauthenticated_budget():
    """Who has not authenticated gets short frames and NOAUTH, no more."""
    with Server(OPT.server, "--requirepass", "secret", start=False) as server:
        server.process = subprocess.Popen(server.argv, cwd=server.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_until(lambda: _connects(server.port)), "no connection"
        for frame, want in (
            (pack("GET", "k"), b"-NOAUTH Authentication required.\r\n"),
            (b"*11\r\n", b"-ERR Protocol error: unauthenticated multibulk length\r\n"),
            (b"*2\r\n$16385\r\n", b"-ERR Protocol error: unauthenticated bulk length\r\n"),
        ):
            with Wire(server.port) as wire:
                wire.send(frame)
                wire.end_of_requests()
                assert wire.rest() == want, frame
        with Wire(server.port) as wire:
            assert wire.call("AUTH", "secret") == b"OK" and wire.call("SET", "k", "x" * 100_000) == b"OK"


def _connects(port):
    try:
        Wire(port).close()
        return True
    except OSError:
        return False


def query_buffer_limit():
    """A frame that never ends is cut at client-query-buffer-limit."""
    with serve("--client-query-buffer-limit", "1mb") as server:
        before = server.rss_bytes()
        with Wire(server.port) as wire:
            closed = False
            try:
                wire.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n")
                for _ in range(100):
                    wire.send(b"x" * MB)
            except (ConnectionResetError, BrokenPipeError):
                closed = True
            assert closed or wire.rest() is not None
        assert server.rss_bytes() - before < 64 * MB
        with Wire(server.port) as wire:
            assert wire.call("EXISTS", "k") == 0
        healthy(server)


# ------------------------------------------------------------------ slow, idle and many clients

def slow_reader():
    """A client that asks for 200 MB and never reads is cut at its output limit; memory stays bounded, others are served."""
    with serve("--client-output-buffer-limit", "normal 16mb 0 0") as server:
        with Wire(server.port) as other:
            other.call("SET", "v", b"x" * MB)
            before, peak, latencies = server.rss_bytes(), 0, []
            slow = Wire(server.port, rcvbuf=4096)
            slow.send(pack("GET", "v") * 200)
            begin = time.monotonic()
            while time.monotonic() < begin + 3 or _connected(other) > 1 and time.monotonic() < begin + HANGS_S:
                asked = time.monotonic()
                assert other.call("GET", "none") is None
                latencies.append(time.monotonic() - asked)
                peak = max(peak, server.rss_bytes() - before)
            listed = other.call("CLIENT", "LIST").decode().count("\n")
            slow.close()
        assert peak < 80 * MB, f"200 MB asked for, limit of 16 MB, and memory grew by {peak / MB:.0f} MB"
        assert listed == 1, f"the slow client is still connected: {listed} clients"
        healthy(server)
    return f"grew by {peak / MB:.0f} MB at most, others' worst {max(latencies) * 1e3:.1f} ms"


def slow_reader_reads_at_last():
    """Without a limit a slow client loses nothing: all it asked for arrives once it reads."""
    with serve() as server, Wire(server.port, rcvbuf=65536) as slow, Wire(server.port) as other:
        other.call("SET", "v", b"y" * MB)
        before = server.rss_bytes()
        slow.send(pack("GET", "v") * 100 + pack("PING"))
        end, peak = time.monotonic() + 1, 0
        while time.monotonic() < end:
            assert other.call("PING") == b"PONG"
            peak = max(peak, server.rss_bytes() - before)
        for _ in range(100):
            assert len(slow.reply()) == MB
        assert slow.reply() == b"PONG"
    return f"grew by {peak / MB:.0f} MB while 100 MB waited"


def idle_connections():
    """What an idle connection costs, of resident memory; the server answers under all of them."""
    wanted = OPT.connections
    limit = raise_open_files(2 * wanted + 1000)
    count = min(wanted, limit - 500)
    with serve("--maxclients", str(count + 100)) as server:
        with Wire(server.port) as probe:
            probe.call("PING")
            before = server.rss_bytes()
            wires = []
            for _ in range(count):
                wires.append(Wire(server.port))
            assert wait_until(lambda: _connected(probe) == count + 1), f"{_connected(probe)} of {count}"
            opened = server.rss_bytes()
            for wire in wires:
                wire.send(pack("SET", "some:key", "some value"))
            for wire in wires:
                assert wire.reply() == b"OK"
            used = server.rss_bytes()
            begin = time.monotonic()
            probe.call("PING")
            ping_ms = (time.monotonic() - begin) * 1e3
            begin = time.monotonic()
            for wire in wires:
                wire.close()
            assert wait_until(lambda: _connected(probe) == 1), "closed connections stay"
            gone_s = time.monotonic() - begin
        healthy(server)
    short = "" if count == wanted else f" (the open-files limit allows no {wanted})"
    return (f"{count} connections{short}: {(opened - before) / count:.0f} bytes each, {(used - before) / count:.0f} after a "
            f"command; PING {ping_ms:.2f} ms; gone after {gone_s:.1f} s")


def _connected(probe):
    return int(re.search(rb"connected_clients:(\d+)", probe.call("INFO", "clients"))[1])


def _measure(port, stop, results):
    """In a process of its own: the latency of one GET after the other, in seconds."""
    latencies = []
    with Wire(port) as wire:
        while not stop.is_set():
            begin = time.monotonic()
            wire.call("GET", "steady")
            latencies.append(time.monotonic() - begin)
    results.put(latencies)


def _storm(port, count):
    """Connects `count` clients at once, each sends HELLO and PING; returns seconds until the last reply."""
    selector, begin = selectors.DefaultSelector(), time.monotonic()
    hello, tails, failed = pack("HELLO", "3") + pack("PING"), {}, 0
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        if sock.connect_ex(("127.0.0.1", port)) not in (0, errno.EINPROGRESS):
            failed += 1
            sock.close()
            continue
        tails[sock] = None
        selector.register(sock, selectors.EVENT_WRITE)
    done = 0
    while done + failed < count:
        ready = selector.select(HANGS_S)
        assert ready, f"a hang: {done} of {count} clients served"
        for key, _ in ready:
            sock = key.fileobj
            try:
                if tails[sock] is None:
                    sock.send(hello)
                    tails[sock] = b""
                    selector.modify(sock, selectors.EVENT_READ)
                    continue
                data = sock.recv(4096)
                tails[sock] = (tails[sock] + data)[-7:]
                ended = tails[sock] == b"+PONG\r\n"
                failed += not data and not ended
                done += ended
                if ended or not data:
                    selector.unregister(sock)
            except OSError:
                failed += 1
                selector.unregister(sock)
    seconds = time.monotonic() - begin
    for sock in tails:
        sock.close()
    assert failed == 0, f"{failed} of {count} clients were not served"
    return seconds


def reconnect_storm():
    """Thousands of clients come back at the same instant; all are served, and so is who was there."""
    count = min(OPT.reconnects, raise_open_files(OPT.reconnects * 2 + 1000) - 500)
    with serve("--maxclients", str(count * 2), "--tcp-backlog", "4096") as server:
        with Wire(server.port) as wire:
            wire.call("SET", "steady", "x" * 32)
        stop, results = multiprocessing.Event(), multiprocessing.Queue()
        steady = multiprocessing.Process(target=_measure, args=(server.port, stop, results))
        steady.start()
        try:
            rounds = [_storm(server.port, count) for _ in range(3)]
        finally:
            stop.set()
        latencies = sorted(results.get(timeout=HANGS_S))
        steady.join(10)
        healthy(server)
    return (f"{count} clients in {', '.join(f'{s:.2f}' for s in rounds)} s; the others' GET p50 {percentile(latencies, .5) * 1e3:.2f} ms, "
            f"p99 {percentile(latencies, .99) * 1e3:.2f} ms, worst {latencies[-1] * 1e3:.1f} ms")


def max_clients():
    """One too many is told so and closed; a place that is given back can be taken."""
    with serve("--maxclients", "10") as server:
        wires = [Wire(server.port)]
        assert wait_until(lambda: _connected(wires[0]) == 1), "the connection of the start stays"
        wires += [Wire(server.port) for _ in range(9)]
        for wire in wires:
            assert wire.call("PING") == b"PONG"
        with Wire(server.port) as extra:
            assert extra.rest() == b"-ERR max number of clients reached\r\n"
        counted = lambda: b"rejected_connections:1\r\n" in wires[0].call("INFO", "stats")
        assert wait_until(counted), "INFO must count the rejected"
        wires.pop().close()
        assert wait_until(lambda: _served(server.port)), "no place was given back"
        for wire in wires:
            wire.close()


def _served(port):
    try:
        with Wire(port) as wire:
            return wire.call("PING") == b"PONG"
    except (WireError, OSError, EOFError):
        return False


# ------------------------------------------------------------------ directives

def idle_timeout():
    """`timeout 1` closes who is silent, and nobody else."""
    with serve("--timeout", "1") as server:
        silent, busy = Wire(server.port), Wire(server.port)
        silent.call("PING")
        begin = spoke = time.monotonic()
        silent.sock.settimeout(0.2)
        closed = False
        while not closed and time.monotonic() - begin < HANGS_S:
            try:
                assert busy.call("PING") == b"PONG"
            except (OSError, EOFError):
                paused = time.monotonic() - spoke
                assert paused > 0.9, f"closed {paused:.1f} s after its last command"
                busy = Wire(server.port)
            spoke = time.monotonic()
            try:
                closed = silent.sock.recv(1) == b""
            except (TimeoutError, socket.timeout):
                pass
        assert closed, "an idle connection outlived its timeout"
        return f"closed after {time.monotonic() - begin:.1f} s"


def tcp_keepalive():
    """The kernel shows a keepalive timer of the configured length on an accepted socket."""
    if not shutil.which("ss"):
        raise Skip("no ss to read socket timers with")
    with serve("--tcp-keepalive", "100") as server, Wire(server.port) as wire:
        wire.call("PING")

        def shown():
            ss = ["ss", "-tnoH", "state", "established", f"( sport = :{server.port} )"]
            return subprocess.run(ss, capture_output=True, text=True).stdout

        if not shown().strip():
            raise Skip("ss shows no sockets here")
        # While a reply is not acknowledged another timer is shown.
        found = []
        told = lambda: found.append(re.search(r"timer:\(keepalive,(?:(\d+)min)?(?:(\d+)(?:\.\d+)?sec)?", shown())) or found[-1]
        assert wait_until(told), f"no keepalive timer: {shown()!r}"
        timer = found[-1]
        seconds = int(timer[1] or 0) * 60 + int(timer[2] or 0)
        assert 60 <= seconds <= 100, f"the timer stands at {seconds} s"


def several_addresses():
    """Several `bind` addresses are all served, and no other; an optional one may be missing."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        raise Skip(f"this machine has no IPv6 loopback: {error}") from error
    with serve("--bind", "127.0.0.1", "::1", "127.0.0.2", "-192.0.2.77") as server:
        for host in ("127.0.0.1", "::1", "127.0.0.2"):
            with Wire(server.port, host=host) as wire:
                assert wire.call("PING") == b"PONG"
                assert f"laddr={'[::1]' if host == '::1' else host}:{server.port} " in wire.call("CLIENT", "INFO").decode()
        try:
            Wire(server.port, host="127.0.0.3").close()
        except ConnectionRefusedError:
            return
        raise AssertionError("127.0.0.3 was not bound, and answers")


def _info(wire, section):
    lines = wire.call("INFO", section).decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def ways_in():
    """INFO has a line for each way to connect, one for each thread, and the largest buffers of the last seconds."""
    with serve("--bind", "127.0.0.1 -::1", "--unixsocket", "{dir}/almagre.sock", "--io-threads", "2") as server:
        with Wire(server.port) as wire, Wire(server.port) as large:
            found = _info(wire, "server")
            assert found["listener0"] == f"name=tcp,bind=127.0.0.1,bind=-::1,port={server.port}", found
            assert found["listener1"] == f"name=unix,bind={server.unix}" and "listener2" not in found, found
            large.call("PING")

            def fields():
                threads = _info(wire, "threads")
                assert sorted(threads) == ["io_thread_0", "io_thread_1"], threads
                return [dict(f.split("=") for f in line.split(",")) for line in threads.values()]

            assert wait_until(lambda: sum(int(f["clients"]) for f in fields()) == 2), fields()
            assert sum(int(f["reads"]) for f in fields()) >= 2, fields()
            large.send(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n" + b"x" * MB)
            most = lambda: int(_info(wire, "clients")["client_recent_max_input_buffer"])
            assert wait_until(lambda: most() >= MB), most()
            seen = time.monotonic()
            large.close()
            assert most() >= MB or time.monotonic() > seen + 2, "it is forgotten with the client"


def unix_socket():
    """The Unix socket has the mode asked for, serves, and leaves with the server; port 0 closes TCP."""
    with serve("--unixsocket", "{dir}/almagre.sock", "--unixsocketperm", "700") as server:
        assert stat.S_IMODE(os.stat(server.unix).st_mode) == 0o700
        with Wire(0, unix=server.unix) as wire:
            value = random.Random(1).randbytes(5 * MB)
            assert wire.call("SET", "k", value) == b"OK" and wire.call("GET", "k") == value
        assert server.stop() == 0
        assert not os.path.exists(server.unix), "the socket file stays behind"


def port_zero():
    """`port 0` with a Unix socket: no TCP at all."""
    with Server(OPT.server, "--unixsocket", "{dir}/almagre.sock", "--port", "0", start=False) as server:
        server.process = subprocess.Popen(server.argv, cwd=server.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_until(lambda: os.path.exists(server.unix)), "no Unix socket"
        assert wait_until(lambda: _served_unix(server.unix)), "the Unix socket does not answer"
        assert not _connects(server.port), "a TCP port is open"


def nowhere_to_listen():
    """A server that nobody could reach ends at once and says why."""
    for directives in (["--port", "0"], ["--bind", ""], ["--bind", "-192.0.2.1"]):
        with Server(OPT.server, *directives, start=False) as server:
            done = subprocess.run(server.argv, cwd=server.dir, capture_output=True, text=True, timeout=HANGS_S)
            assert done.returncode == 1, f"{directives}: status {done.returncode}"
            assert "Configured to not listen anywhere, exiting." in done.stdout, done.stdout[-800:] + done.stderr


def structured_logs():
    """With a structured log the line that a signal writes is structured, too."""
    with serve("--log-format", "json", "--log-timestamp-format", "iso8601") as server:
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.log().splitlines()]
        said = [line for line in lines if "Received SIGTERM" in line["message"]]
        assert len(said) == 1 and said[0]["level"] == "warning", lines
        assert {line["timestamp"][-6:] for line in said} <= {line["timestamp"][-6:] for line in lines if line not in said}


def _served_unix(path):
    try:
        with Wire(0, unix=path) as wire:
            return wire.call("PING") == b"PONG"
    except (WireError, OSError, EOFError):
        return False


def client_kill():
    """CLIENT KILL in all its forms ends connections at once, also one that is in the middle of a frame."""
    with serve() as server, Wire(server.port) as admin:
        def victim():
            wire = Wire(server.port)
            wire.call("CLIENT", "SETNAME", "victim")
            return wire, wire.call("CLIENT", "ID"), "%s:%d" % wire.sock.getsockname()

        def gone(wire):
            return wire.rest() == b""

        wire, number, _ = victim()
        wire.send(b"*2\r\n$3\r\nGET\r\n$5\r\nab")
        assert admin.call("CLIENT", "KILL", "ID", number) == 1 and gone(wire)
        wire, _, address = victim()
        assert admin.call("CLIENT", "KILL", address) == b"OK" and gone(wire)
        wire, _, address = victim()
        assert admin.call("CLIENT", "KILL", "ADDR", address) == 1 and gone(wire)
        wires = [victim()[0] for _ in range(20)]
        assert wait_until(lambda: _connected(admin) == 21), "clients that were killed stay"
        assert admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") == 20
        assert all(gone(w) for w in wires)
        for words, text in (
            (("127.0.0.1:1",), "No such client"),
            (("ID", 0), "client-id should be greater than 0"),
            (("TYPE", "x"), "Unknown client type 'x'"),
            (("ID", 1, "SKIPME"), "syntax error"),
        ):
            try:
                admin.call("CLIENT", "KILL", *words)
            except WireError as error:
                assert text in str(error), error
            else:
                raise AssertionError(f"CLIENT KILL {words} must be refused")
        assert admin.call("CLIENT", "KILL", "ID", 10 ** 9) == 0
        wire, number, _ = victim()
        wire.send(pack("CLIENT", "KILL", "ID", number, "SKIPME", "no"))
        assert wire.rest() == b":1\r\n", "its own killer gets the reply before the end"
        healthy(server)


# ------------------------------------------------------------------ changes while it runs

def populate_ends_with_client():
    """DEBUG POPULATE lets others be served meanwhile, keeps what comes behind it, and ends when its client goes."""
    with serve("--enable-debug-command", "yes", "--io-threads", "1") as server, Wire(server.port) as admin:
        with Wire(server.port) as wire:
            wire.send(pack("DEBUG", "POPULATE", 5000, "few") + pack("GET", "few:4999"))
            wire.send(pack("PING"))
            assert [wire.reply() for _ in range(3)] == [b"OK", b"value:4999", b"PONG"]
            wire.send(pack("CLIENT", "REPLY", "OFF") + pack("DEBUG", "POPULATE", 5000, "more"))
            assert wait_until(lambda: admin.call("EXISTS", "more:4999") == 1)
        wire = Wire(server.port)
        wire.send(pack("DEBUG", "POPULATE", 1 << 39))
        assert wait_until(lambda: admin.call("DBSIZE") > 20_000)
        wire.close()

        def rests():
            before = admin.call("DBSIZE")
            time.sleep(0.1)
            return admin.call("DBSIZE") == before

        assert wait_until(rests), "it goes on without its client"
        healthy(server)


def _refusal(wire, *words):
    """The text of the error that a command must get."""
    try:
        got = wire.call(*words)
    except WireError as error:
        return str(error)
    raise AssertionError(f"{words} must be refused, got {got!r}")


def unauthenticated_silence():
    """Who must authenticate and says nothing is closed after some 10 s; who has authenticated is not."""
    with Server(OPT.server, "--requirepass", "secret", start=False) as server:
        server.process = subprocess.Popen(server.argv, cwd=server.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_until(lambda: _connects(server.port)), "no connection"
        begin = time.monotonic()
        with Wire(server.port) as silent, Wire(server.port) as known:
            assert known.call("AUTH", "secret") == b"OK"
            assert silent.rest() == b""
            seconds = time.monotonic() - begin
            assert seconds > 8, f"closed after {seconds:.1f} s"
            assert known.call("PING") == b"PONG"
    return f"closed after {seconds:.1f} s"


def inline_off():
    """`inline-commands no`: a line of words gets an error that says so, and the end."""
    with serve("--inline-commands", "no") as server:
        with Wire(server.port) as wire:
            wire.send(pack("PING") + b"PING\r\n")
            assert wire.rest() == b"+PONG\r\n-ERR Protocol error: inline requests are turned off\r\n"
        healthy(server)


def soft_output_limit():
    """A client over the soft limit for its time is closed, though nothing happens on its connection."""
    with serve("--client-output-buffer-limit", "normal 0 1mb 2") as server, Wire(server.port) as other:
        other.call("SET", "v", b"x" * MB)
        with Wire(server.port, rcvbuf=4096) as slow:
            # From its first reply on the server counts it among the connected.
            assert slow.call("PING") == b"PONG" and _connected(other) >= 2
            begin = time.monotonic()
            slow.send(pack("GET", "v") * 20)
            assert wait_until(lambda: _connected(other) == 1), "the slow client stays"
            seconds = time.monotonic() - begin
        assert seconds > 1, f"closed after {seconds:.1f} s already"
    return f"closed after {seconds:.1f} s"


def threads_change():
    """io-threads changed under load: connections move, and no request or reply is lost or doubled."""
    with serve("--io-threads", "4") as server, Wire(server.port) as admin:
        stop, failures, counts = threading.Event(), [], {}

        def load(number):
            try:
                with Wire(server.port) as wire:
                    expected = 0
                    while not stop.is_set():
                        wire.send(pack("INCR", f"n{number}") * 20)
                        for _ in range(20):
                            expected += 1
                            assert wire.reply() == expected
                    counts[number] = expected
            except (OSError, EOFError, WireError, AssertionError) as error:
                failures.append((number, repr(error)))

        threads = [threading.Thread(target=load, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for count in (1, 3, 2, 8, 1, 4) * 3:
            assert admin.call("CONFIG", "SET", "io-threads", count) == b"OK"
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join(HANGS_S)
            assert not thread.is_alive(), "a client hangs"
        assert not failures, failures
        for number, expected in counts.items():
            assert int(admin.call("GET", f"n{number}")) == expected
    return f"{sum(counts.values())} commands"


def arrivals_move_on():
    """A connection on its way to a worker that is switched off meanwhile goes on to another."""
    busy = "for i = 1, 2e7 do end"
    # Nobody is told that the script takes long.
    with serve("--io-threads", "3", "--busy-reply-threshold", "0") as server:
        wires = [Wire(server.port) for _ in range(6)]
        last = next(wire for wire in wires if b" io-thread=2 " in wire.call("CLIENT", "INFO"))
        # An admin on another worker than the one that will not look into its mailbox.
        admin = next(wire for wire in wires if b" io-thread=2 " not in wire.call("CLIENT", "INFO"))
        last.send(pack("EVAL", busy, 0))
        time.sleep(0.05)
        wires += [Wire(server.port) for _ in range(6)]
        time.sleep(0.05)
        assert admin.call("CONFIG", "SET", "io-threads", 1) == b"OK"
        last.reply()
        first = lambda: all(b" io-thread=0 " in line for line in admin.call("CLIENT", "LIST").splitlines())
        assert wait_until(first), "a client stays on a worker that is switched off"
        for wire in wires:
            wire.close()


def port_and_bind_change():
    """CONFIG SET of port and bind moves the listeners; a port that is taken changes nothing."""
    with serve() as server, serve() as neighbour, Wire(server.port) as admin:
        text = _refusal(admin, "CONFIG", "SET", "port", neighbour.port)
        assert "Unable to listen on this port" in text, text
        assert admin.call("CONFIG", "GET", "port")[1] == str(server.port).encode()
        healthy(server)
        neighbour.stop()
        assert admin.call("CONFIG", "SET", "port", neighbour.port) == b"OK"
        assert wait_until(lambda: _served(neighbour.port)), "the new port does not answer"
        assert wait_until(lambda: not _connects(server.port)), "the old port is still open"
        assert admin.call("CONFIG", "SET", "port", server.port) == b"OK"
        assert admin.call("CONFIG", "SET", "bind", "127.0.0.2 127.0.0.1") == b"OK"
        with Wire(server.port, host="127.0.0.2") as wire:
            assert wire.call("PING") == b"PONG"
        text = _refusal(admin, "CONFIG", "SET", "bind", "192.0.2.77")
        assert "Failed to bind" in text, text
        healthy(server)


def promises():
    """What cannot be kept refuses the start, naming the line."""
    for directive in ("cluster-enabled yes", "replicaof 127.0.0.1 1", "tls-port 1", "user x on", "aclfile x",
                      "loadmodule x.so", "databases 16385", "rename-command NOSUCH x", "rename-command GET SET"):
        with Server(OPT.server, start=False) as server:
            path = os.path.join(server.dir, "x.conf")
            with open(path, "w") as file:
                file.write(f"# a comment\n{directive}\n")
            at = next(i for i, word in enumerate(server.argv) if word.startswith("--"))
            argv = server.argv[:at] + [path] + server.argv[at:]
            done = subprocess.run(argv, cwd=server.dir, capture_output=True, text=True, timeout=HANGS_S)
            said = done.stdout + done.stderr
            assert done.returncode != 0, f"{directive} must not start"
            assert "at line 2" in said and directive.split()[0] in said and "x.conf" in said, said
            assert "FATAL CONFIG FILE ERROR" in done.stderr and "\\n" not in said, said


def renamed_commands():
    """rename-command at start: the new name works, the old one and a removed command do not exist."""
    with serve("--rename-command", "GET", "fetch", "--rename-command", "FLUSHALL", "") as server, Wire(server.port) as wire:
        wire.call("SET", "k", "v")
        assert wire.call("FETCH", "k") == b"v"
        for word in ("GET", "FLUSHALL"):
            assert "unknown command" in _refusal(wire, word, "k")


def maxclients_change():
    """CONFIG SET maxclients counts at once in both directions."""
    with serve("--maxclients", "3") as server, Wire(server.port) as admin:
        assert wait_until(lambda: _connected(admin) == 1), "the connection of the start stays"
        wires = [Wire(server.port) for _ in range(2)]
        for wire in wires:
            assert wire.call("PING") == b"PONG"
        with Wire(server.port) as extra:
            assert extra.rest() == b"-ERR max number of clients reached\r\n"
        assert admin.call("CONFIG", "SET", "maxclients", 4) == b"OK"
        with Wire(server.port) as extra:
            assert extra.call("PING") == b"PONG"
        for wire in wires:
            wire.close()


def large_value():
    """A value of 256 MB comes in and goes out; another client is served meanwhile."""
    with serve() as server, Wire(server.port) as other:
        other.call("SET", "small", "x")
        size, worst, done = 256 * MB, 0.0, threading.Event()
        with Wire(server.port) as wire:
            def send():
                wire.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % size)
                block = b"z" * MB
                for _ in range(size // MB):
                    wire.send(block)
                wire.send(b"\r\n")
                assert wire.reply() == b"OK"
                done.set()

            begin = time.monotonic()
            sender = threading.Thread(target=send)
            sender.start()
            while not done.is_set() and sender.is_alive():
                asked = time.monotonic()
                assert other.call("GET", "small") == b"x" and other.call("STRLEN", "k") in (0, size)
                worst = max(worst, time.monotonic() - asked)
                time.sleep(0.002)
            sender.join()
            took = time.monotonic() - begin
            assert done.is_set() and other.call("STRLEN", "k") == size
            wire.call("DEL", "k")
    return f"{took:.2f} s; another's worst GET {worst * 1e3:.0f} ms"


def large_among_small():
    """Large arguments in every place of a request, with small requests before and behind them, cut anywhere."""
    rng, big = random.Random(3), random.Random(2).randbytes(3 * MB)
    script = (
        pack("SET", "a", big) + pack("PING") + pack("SET", "b", big, "EX", 1000) + pack("STRLEN", "b") + pack("APPEND", "a", big)
        + pack("MSET", "c", big, "d", big[:2 * MB], "e", "x") + pack("ECHO", big) + pack("SET", "f", big, "NX", "GET")
        + pack("SET", "a", big, "SYNTAX") + b"PING\r\n" + pack("STRLEN", "a") + pack("GET", "d") + pack("GET", big) + pack("TTL", "b")
    )
    want = (
        b"+OK\r\n+PONG\r\n+OK\r\n:%d\r\n:%d\r\n+OK\r\n$%d\r\n" % (3 * MB, 6 * MB, 3 * MB) + big + b"\r\n$-1\r\n"
        + b"-ERR syntax error\r\n+PONG\r\n:%d\r\n$%d\r\n" % (6 * MB, 2 * MB) + big[:2 * MB] + b"\r\n$-1\r\n:1000\r\n"
    )
    with serve() as server:
        for _ in range(6):
            with Wire(server.port) as wire:
                wire.call("FLUSHALL")
                cuts = sorted(rng.randrange(1, len(script)) for _ in range(12))
                reader = threading.Thread(target=lambda: results.append(wire.exactly(len(want))))
                results = []
                reader.start()
                for begin, end in zip([0, *cuts], [*cuts, len(script)]):
                    wire.send(script[begin:end])
                reader.join(HANGS_S)
                assert results and results[0] == want, "the replies differ"
                assert wire.call("GET", "a") == big + big and wire.call("GET", "b") == big and wire.call("GET", "c") == big
        healthy(server)


def kill_while_writing():
    """A client that does not read can be killed while replies wait for it; half-closed ones get all their replies."""
    with serve() as server, Wire(server.port) as admin:
        admin.call("SET", "v", b"x" * MB)
        with Wire(server.port, rcvbuf=4096) as slow:
            number = slow.call("CLIENT", "ID")
            slow.send(pack("GET", "v") * 50)
            assert wait_until(lambda: _output(admin, number) > 0), "nothing waits"
            assert admin.call("CLIENT", "KILL", "ID", number) == 1
            assert wait_until(lambda: _connected(admin) == 1), "it stays"
        with Wire(server.port) as half:
            half.send(pack("GET", "v") * 20 + pack("ECHO", "end"))
            half.end_of_requests()
            time.sleep(0.3)
            got = half.rest()
            assert got.endswith(b"$3\r\nend\r\n") and len(got) > 20 * MB, len(got)
        with Wire(server.port) as quits:
            quits.send(pack("GET", "v") * 20 + pack("QUIT"))
            time.sleep(0.3)
            got = quits.rest()
            assert got.endswith(b"+OK\r\n") and len(got) > 20 * MB, len(got)


def _output(admin, number):
    line = admin.call("CLIENT", "LIST", "ID", number).decode()
    found = re.search(r"tot-mem=(\d+)", line), re.search(r"omem=(\d+)", line)
    return int(found[1][1]) if found[1] else 0


# ------------------------------------------------------------------ the end

def _load(port, replies, stop):
    """Pipelines INCRs until the connection ends; counts the replies that came."""
    batch, count = pack("INCR", f"n{threading.get_ident()}") * 50, 0
    try:
        with Wire(port) as wire:
            while not stop.is_set():
                wire.send(batch)
                for _ in range(50):
                    wire.reply()
                    count += 1
    except (OSError, EOFError):
        pass
    except WireError as error:
        replies.append(error)
    replies.append(count)


def sigterm_under_load():
    """SIGTERM ends a busy server with status 0 and every connection with it, without a stray error reply."""
    with serve() as server:
        replies, stop = [], threading.Event()
        threads = [threading.Thread(target=_load, args=(server.port, replies, stop)) for _ in range(8)]
        for thread in threads:
            thread.start()
        with Wire(server.port) as wire:
            assert wait_until(lambda: wire.call("DBSIZE") == 8), "the load did not start"
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        try:
            status = server.process.wait(HANGS_S)
        finally:
            stop.set()
        seconds = time.monotonic() - begin
        for thread in threads:
            thread.join(HANGS_S)
            assert not thread.is_alive(), "a client hangs"
        assert status == 0, f"status {status}: {server.log()[-800:]}"
        errors = [r for r in replies if isinstance(r, Exception)]
        assert not errors, errors
    return f"ended after {seconds * 1e3:.0f} ms, {sum(replies)} commands served"


def signals_and_restart():
    """SIGINT ends it as well, SIGHUP does not, and the port can be taken again at once."""
    with serve() as server:
        held = Wire(server.port)
        held.call("PING")
        server.process.send_signal(signal.SIGHUP)
        healthy(server)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(HANGS_S) == 0
        server.start()
        healthy(server)
        held.close()


def daemonize():
    """`daemonize yes`: the parent ends at once with 0, the child serves, tells its pid and ends at SIGTERM."""
    with Server(OPT.server, "--daemonize", "yes", "--pidfile", "{dir}/almagre.pid", "--logfile", "{dir}/server.log",
                start=False) as server:
        done = subprocess.run(server.argv, cwd=server.dir, capture_output=True, text=True, timeout=HANGS_S)
        assert done.returncode == 0, f"status {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"
        pid_file = os.path.join(server.dir, "almagre.pid")
        told = lambda: os.path.exists(pid_file) and os.path.getsize(pid_file) > 0
        assert wait_until(lambda: told() and _connects(server.port)), server.log()[-1500:]
        with open(pid_file) as file:
            pid = int(file.read())
        try:
            with Wire(server.port) as wire:
                assert wire.call("PING") == b"PONG"
                assert b"process_id:%d\r\n" % pid in wire.call("INFO", "server")
        finally:
            os.kill(pid, signal.SIGTERM)
        assert wait_until(lambda: not os.path.exists(pid_file)), "the pid file stays"
        assert wait_until(lambda: not _connects(server.port)), "it still listens"


def versions():
    """`--version` has the shape of whose name the binary is called by, and names Almagre too."""
    with Server(OPT.server, start=False) as server:
        shape = r"%s server v=\d+\.\d+\.\d+ sha=[0-9a-f]{8}:\d+ malloc=\S+ bits=64 build=[0-9a-f]+ \(%s \d+\.\d+\.\d+\)\n"
        for link, name, behind in (("redis-server", "Redis", "Almagre"), ("valkey-server", "Valkey", "Almagre"),
                                   ("almagre", "Almagre", "Redis")):
            path = os.path.join(server.dir, link)
            os.symlink(os.path.abspath(server.argv[0]), path)
            for flag in ("-v", "--version"):
                said = subprocess.run([path, flag], capture_output=True, text=True, timeout=HANGS_S).stdout
                assert re.fullmatch(shape % (name, behind), said), said


def memory_stats():
    """MEMORY STATS: bytes per key are those of the data."""
    with serve() as server, Wire(server.port) as wire:
        for number in range(100):
            wire.call("SET", f"key:{number}", "x" * 10_000)
        flat = wire.call("MEMORY", "STATS")
        found = dict(zip(flat[::2], flat[1::2]))
        assert found[b"keys.count"] == 100
        assert found[b"keys.bytes-per-key"] == found[b"dataset.bytes"] // 100 >= 10_000, found


def locales():
    """CONFIG SET locale-collate takes what the machine knows."""
    with serve() as server, Wire(server.port) as wire:
        assert wire.call("CONFIG", "SET", "locale-collate", "C") == b"OK"
        said = _refusal(wire, "CONFIG", "SET", "locale-collate", "zz_ZZ.nowhere")
        assert said.endswith("(possibly related to argument 'locale-collate') - Invalid locale name"), said
        assert wire.call("CONFIG", "GET", "locale-collate") == [b"locale-collate", b"C"]
        assert wire.call("CONFIG", "SET", "locale-collate", "") == b"OK"


def port_in_use():
    """A second server on the same port ends with an error that names it."""
    with serve() as server:
        second = Server(OPT.server, start=False)
        with second:
            argv = [word.replace(str(second.port), str(server.port)) for word in second.argv]
            done = subprocess.run(argv, cwd=second.dir, capture_output=True, text=True, timeout=HANGS_S)
            assert done.returncode != 0, "it must not start"
            assert "ddress already in use" in done.stdout + done.stderr, done.stdout[-500:] + done.stderr[-500:]
        healthy(server)


def few_replicas():
    """`min-replicas-to-write` counts connections that are fed and acknowledge, from the start on."""
    with serve("--min-replicas-to-write", "1", "--hz", "100") as server, Wire(server.port) as wire:
        def refused():
            try:
                wire.call("SET", "key", "value")
                return False
            except WireError as error:
                assert str(error) == "NOREPLICAS Not enough good replicas to write.", error
                return True

        assert refused()
        assert wire.call("GET", "key") is None
        with Wire(server.port) as replica:
            replica.send(pack("PSYNC", "?", "-1"))
            lead = replica.line()
            while not lead.startswith(b"$"):
                lead = replica.line()
            replica.exactly(int(lead[1:]))
            time.sleep(0.1)
            assert refused(), "it has acknowledged nothing"
            replica.send(pack("REPLCONF", "ACK", "0"))
            assert wait_until(lambda: not refused())
            assert b"min_slaves_good_slaves:1" in wire.call("INFO", "replication")
        assert wait_until(refused)
        wire.call("CONFIG", "SET", "min-replicas-max-lag", "0")
        assert not refused()
        wire.call("CONFIG", "SET", "min-replicas-max-lag", "10")
        assert refused()
        wire.call("CONFIG", "SET", "min-replicas-to-write", "0")
        assert not refused()


TESTS = [
    malformed_frames, malformed_in_silence, garbage, http_request, absurd_lengths, many_arguments, partial_frames,
    unauthenticated_budget,
    query_buffer_limit, slow_reader, slow_reader_reads_at_last, idle_connections, reconnect_storm, max_clients,
    idle_timeout, tcp_keepalive, several_addresses, ways_in, unix_socket, port_zero, nowhere_to_listen,
    structured_logs, client_kill, populate_ends_with_client, sigterm_under_load,
    signals_and_restart, daemonize, versions, memory_stats, locales,
    port_in_use, unauthenticated_silence, inline_off, soft_output_limit, threads_change,
    arrivals_move_on, port_and_bind_change, promises, renamed_commands, maxclients_change, large_value, large_among_small,
    kill_while_writing, few_replicas,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="the server's command line, with {port} and {dir}")
    parser.add_argument("--only", default="", help="comma-separated parts of test names")
    parser.add_argument("--connections", type=int, default=10_000, help="for idle_connections")
    parser.add_argument("--reconnects", type=int, default=5_000, help="for reconnect_storm")
    parser.parse_args(namespace=OPT)
    OPT.server = server_command(OPT.server)
    parts = [part for part in OPT.only.split(",") if part]
    chosen = [t for t in TESTS if not parts or any(part in t.__name__ for part in parts)]
    if not chosen:
        parser.error(f"no test is named like {OPT.only}; there are {', '.join(t.__name__ for t in TESTS)}")
    tally = Tally()
    for test in chosen:
        tally.run(test.__name__, test)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
