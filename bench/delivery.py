#!/usr/bin/env python3
"""What reaches a client that did not ask just then, ours beside the peers: blocking pops, messages, invalidations.

  bench/delivery.py [--only blpop,publish,tracking] [--runs 3]

Server CPU in microseconds per hand-off, per delivered message, per invalidated key, one worker pinned to one core and its
load to the other; and the median time of a hand-off as its waiter sees it. Uses bench/side_by_side.py of the shared
folder (ALMAGRE_SHARED, else beside the checkout), for the peers and how they are started.
"""
import argparse
import os
import select
import socket
import statistics
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
SUBSCRIBERS, MESSAGES = 1000, 300
WAITERS, HANDOFFS = 50, 30_000
KEYS = 100_000


def blpop(common, server):
    """One element at a time to many waiting clients, each of which waits again."""
    waiters = [common.Conn(server.port) for _ in range(WAITERS)]
    request = common.Conn.pack("BLPOP", "queue", "0")
    for waiter in waiters:
        waiter.s.sendall(request)
    time.sleep(0.2)
    by_fd = {waiter.s.fileno(): waiter for waiter in waiters}
    poll = select.epoll()
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    pusher, push, micros = common.Conn(server.port), common.Conn.pack("RPUSH", "queue", "x" * 16), []
    before = server.cpu()
    for _ in range(HANDOFFS):
        begin = time.perf_counter()
        pusher.s.sendall(push)
        [(fd, _)] = poll.poll(5)
        micros.append((time.perf_counter() - begin) * 1e6)
        assert by_fd[fd].read()[0] == b"queue"
        pusher.read()
        by_fd[fd].s.sendall(request)
    return (server.cpu() - before) * 1e6 / HANDOFFS, statistics.median(micros)


def publish(common, server):
    """Messages of 64 bytes to a thousand subscribers of one channel."""
    subscribers = []
    for _ in range(SUBSCRIBERS):
        s = socket.create_connection(("127.0.0.1", server.port))
        s.sendall(common.Conn.pack("SUBSCRIBE", "news"))
        s.recv(1000)
        s.setblocking(False)
        subscribers.append(s)
    one = len(b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$64\r\n") + 64 + 2
    by_fd = {s.fileno(): s for s in subscribers}
    poll = select.epoll()
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    publisher, wanted, got = common.Conn(server.port), SUBSCRIBERS * MESSAGES * one, 0
    request = common.Conn.pack("PUBLISH", "news", "m" * 64)
    before = server.cpu()
    for _ in range(MESSAGES // 10):
        publisher.s.sendall(request * 10)
        for _ in range(10):
            assert publisher.read() == b"%d" % SUBSCRIBERS
    while got < wanted:
        events = poll.poll(5)
        assert events, f"{got} of {wanted} bytes came"
        got += sum(len(by_fd[fd].recv(1 << 20)) for fd, _ in events)
    assert got == wanted
    return ((server.cpu() - before) * 1e6 / (SUBSCRIBERS * MESSAGES),)


def tracking(common, server):
    """A client reads keys under tracking; another writes them all; the first is told of each."""
    writer, reader = common.Conn(server.port), common.Conn(server.port)
    writer.pipe((b"SET", b"key:%d" % i, b"value") for i in range(KEYS))
    redirect = common.Conn(server.port)
    number = redirect.call("CLIENT", "ID").decode()
    redirect.s.sendall(common.Conn.pack("SUBSCRIBE", "__redis__:invalidate"))
    redirect.read()
    reader.call("CLIENT", "TRACKING", "on", "REDIRECT", number)
    before = server.cpu()
    reader.pipe((b"GET", b"key:%d" % i) for i in range(KEYS))
    reading = server.cpu() - before
    before = server.cpu()
    writer.pipe((b"SET", b"key:%d" % i, b"other") for i in range(KEYS))
    told = set()
    redirect.s.settimeout(10)
    while len(told) < KEYS:
        told.update(redirect.read()[2])
    assert len(told) == KEYS
    return reading * 1e6 / KEYS, (server.cpu() - before) * 1e6 / KEYS


ROWS = {
    "blpop": (blpop, ["BLPOP hand-off, CPU us", "BLPOP hand-off, median us"]),
    "publish": (publish, ["PUBLISH to 1,000, CPU us each"]),
    "tracking": (tracking, ["GET under tracking, CPU us", "SET that invalidates, CPU us"]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(ROWS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--port", type=int, default=7460)
    parser.add_argument("--peers", default="valkey,redis,valkey9")
    parser.add_argument("--ours", default=f"{HERE}/../target/release/almagre server --port {{port}} --dir {{dir}} --io-threads 1")
    args = parser.parse_args()
    sys.path.insert(0, os.path.join(os.environ.get("ALMAGRE_SHARED", os.path.join(HERE, "..", "..", "shared")), "bench"))
    import side_by_side as common

    args.peers, args.found = args.peers.split(","), common.peers()
    os.sched_setaffinity(0, {0})
    rows = []
    for name in args.only.split(","):
        measure, labels = ROWS[name]
        figures = []
        for server in common.servers(args):
            figures.append([measure(common, server) for _ in range(args.runs)])
            server.stop()
        for at, label in enumerate(labels):
            rows.append((label, *(statistics.median(run[at] for run in runs) for runs in figures)))
    common.table(args, "delivery", rows, "as each row says")


if __name__ == "__main__":
    main()
