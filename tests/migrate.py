#!/usr/bin/env python3
"""MIGRATE between real processes: two of ours, and ours and Valkey both ways; slow, silent and dying targets; keys that change
on their way.

usage: migrate.py [--server 'COMMAND with {port} and {dir}'] [--peer PATH]

What is asserted of every ending: a key that nobody deleted is here, there or both. Standard library only.
"""
import argparse
import os
import random
import signal
import socket
import sys
import threading
import time

from harness import Server, Tally, Wire, WireError, free_port, pack, server_command, wait_until

OPT = argparse.Namespace()
VALKEY = os.path.expanduser("~/.cache/peers/valkey/src/valkey-server")
FLAGS = ("--save", "", "--enable-debug-command", "yes")


def ours(*directives):
    return Server(OPT.server, *FLAGS, *directives)


def valkey(*directives):
    return Server(OPT.peer + " --port {port} --dir {dir}", *FLAGS, *directives)


def refused(call, *words):
    """The error that a command is answered with."""
    try:
        got = call(*words)
    except WireError as error:
        return str(error)
    raise AssertionError(f"no error but {got!r}")


def migrate(wire, to, key, *rest, db=0, timeout=60000):
    return wire.call("MIGRATE", "127.0.0.1", to.port, key, db, timeout, *rest)


def fill(wire, rng):
    """Values of every type that both servers know, small and large; returns the keys."""
    keys = []
    for size in (1, 50, 3000):
        words = [f"{n}:{'x' * rng.randrange(30)}" for n in range(size)]
        pairs = [w for n, word in enumerate(words) for w in (n, word)]
        wire.call("SET", f"text:{size}", "".join(words))
        wire.call("SET", f"int:{size}", size)
        wire.call("RPUSH", f"list:{size}", *words)
        wire.call("SADD", f"set:{size}", *words)
        wire.call("SADD", f"ints:{size}", *range(size))
        wire.call("HSET", f"hash:{size}", *pairs)
        wire.call("ZADD", f"zset:{size}", *pairs)
        for n in range(min(size, 200)):
            wire.call("XADD", f"stream:{size}", f"{n + 1}-1", "n", n)
        keys += [f"{kind}:{size}" for kind in ("text", "int", "list", "set", "ints", "hash", "zset", "stream")]
    return keys


def digests(wire, keys):
    return wire.call("DEBUG", "DIGEST-VALUE", *keys)


def moves_all(source, target):
    with source as here, target as there, Wire(here.port) as a, Wire(there.port) as b:
        keys = fill(a, random.Random(1))
        before = digests(a, keys)
        for key in keys[::2]:
            assert migrate(a, there, key) == b"OK"
        assert migrate(a, there, "", "KEYS", *keys[1::2]) == b"OK"
        assert a.call("DBSIZE") == 0
        assert b.call("EXISTS", *keys) == len(keys)
        assert digests(b, keys) == before
        assert migrate(b, here, "", "KEYS", *keys) == b"OK"
        assert b.call("DBSIZE") == 0
        assert digests(a, keys) == before
        assert migrate(b, here, "", "KEYS", *keys) == b"NOKEY"
        return f"{len(keys)} keys there and back"


def options():
    with ours() as here, ours() as there, Wire(here.port) as a, Wire(there.port) as b:
        a.call("SET", "k", "new", "PX", 1000000)
        b.call("SELECT", 9)
        assert migrate(a, there, "k", "COPY", db=9) == b"OK"
        assert a.call("GET", "k") == b"new" and b.call("GET", "k") == b"new"
        assert 900000 < b.call("PTTL", "k") <= 1000000
        b.call("SET", "k", "old")
        error = refused(a.call, "MIGRATE", "127.0.0.1", there.port, "k", 9, 60000)
        assert error == "ERR Target instance replied with error: BUSYKEY Target key name already exists.", error
        assert a.call("GET", "k") == b"new" and b.call("GET", "k") == b"old"
        assert migrate(a, there, "k", "REPLACE", db=9) == b"OK"
        assert a.call("EXISTS", "k") == 0 and b.call("GET", "k") == b"new" and b.call("PTTL", "k") > 0
        error = refused(a.call, "MIGRATE", "127.0.0.1", there.port, "k2", "x", 60000)
        assert error == "ERR value is not an integer or out of range", error
        a.call("SET", "k2", 1)
        error = refused(a.call, "MIGRATE", "127.0.0.1", there.port, "k2", 99, 60000)
        assert error == "ERR Target instance replied with error: ERR DB index is out of range", error
        assert b.call("DBSIZE") == 1 and a.call("GET", "k2") == b"1"
        # Some keys are missing, one is there already, one is named twice.
        a.call("MSET", "a", 1, "b", 2, "c", 3)
        b.call("SET", "b", "old")
        error = refused(a.call, "MIGRATE", "127.0.0.1", there.port, "", 9, 60000, "KEYS", "a", "missing", "b", "c", "a")
        assert "BUSYKEY" in error, error
        assert a.call("MGET", "a", "b", "c") == [None, b"2", None]
        assert b.call("MGET", "a", "b", "c") == [b"1", b"old", b"3"]


def passwords():
    with ours() as here, ours() as there, Wire(here.port) as a, Wire(there.port) as b:
        b.call("CONFIG", "SET", "requirepass", "secret")
        a.call("MSET", "a", 1, "b", 2, "c", 3)
        assert "NOAUTH" in refused(migrate, a, there, "a")
        assert "WRONGPASS" in refused(migrate, a, there, "a", "AUTH", "wrong")
        assert "WRONGPASS" in refused(migrate, a, there, "a", "AUTH2", "nobody", "secret")
        assert a.call("DBSIZE") == 3 and b.call("DBSIZE") == 0
        assert migrate(a, there, "a", "AUTH", "secret") == b"OK"
        assert migrate(a, there, "", "AUTH2", "default", "secret", "KEYS", "b", "c") == b"OK"
        assert a.call("DBSIZE") == 0 and b.call("MGET", "a", "b", "c") == [b"1", b"2", b"3"]


class Asleep:
    """A server that does nothing meanwhile."""

    def __init__(self, server):
        self.process = server.process

    def __enter__(self):
        self.process.send_signal(signal.SIGSTOP)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)


def blocked(wire):
    return b"blocked_clients:1" in wire.call("INFO", "clients")


def waiting():
    """A target that sleeps: the client's later requests wait, others go on, and a timeout is one."""
    with ours() as here, ours() as there, Wire(here.port) as a, Wire(here.port) as other, Wire(there.port) as b:
        a.call("MSET", "k", 1, "later", 0)
        assert migrate(a, there, "later", "COPY") == b"OK"
        with Asleep(there):
            a.send(pack("MIGRATE", "127.0.0.1", there.port, "k", 0, 3000) + pack("INCR", "later"))
            assert wait_until(lambda: blocked(other))
            slowest = 0
            for _ in range(100):
                at = time.monotonic()
                other.call("INCR", "n")
                slowest = max(slowest, time.monotonic() - at)
            assert blocked(other) and other.call("GET", "later") == b"0"
            error = refused(a.reply)
            assert error == "IOERR error or timeout reading to target instance", error
            assert a.reply() == 1 and a.call("GET", "k") == b"1"
        assert b.call("PING") == b"PONG"
        assert migrate(a, there, "k", "REPLACE") == b"OK" and a.call("EXISTS", "k") == 0
        return f"slowest command of another client {slowest * 1000:.1f} ms"


def endings():
    """CLIENT UNBLOCK, CLIENT KILL, transactions and scripts."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    port = silent.getsockname()[1]
    with silent, ours() as here, Wire(here.port) as a, Wire(here.port) as other:
        a.call("SET", "k", 1)
        client = a.call("CLIENT", "ID")
        for how, wanted in (("TIMEOUT", "IOERR error or timeout"), ("ERROR", "UNBLOCKED")):
            a.send(pack("MIGRATE", "127.0.0.1", port, "k", 0, 60000))
            assert wait_until(lambda: blocked(other))
            assert other.call("CLIENT", "UNBLOCK", client, how) == 1
            assert refused(a.reply).startswith(wanted)
        a.send(pack("MIGRATE", "127.0.0.1", port, "k", 0, 60000))
        assert wait_until(lambda: blocked(other))
        error = refused(other.call, "MIGRATE", "127.0.0.1", port, "k", 0, 60000)
        assert error == "ERR a key is being migrated by another client", error
        assert other.call("CLIENT", "KILL", "ID", client) == 1
        assert wait_until(lambda: not blocked(other))
        assert other.call("GET", "k") == b"1"
        assert wait_until(lambda: b"total_blocking_keys:0" in other.call("INFO", "clients"))
        other.call("MULTI")
        other.call("MIGRATE", "127.0.0.1", port, "k", 0, 1000)
        other.send(pack("EXEC"))
        assert "not for transactions" in str(other.value()[0])
        script = "return redis.call('MIGRATE', '127.0.0.1', ARGV[1], KEYS[1], 0, 1000)"
        assert "not for transactions" in refused(other.call, "EVAL", script, 1, "k", port)
        nobody = free_port()
        assert refused(other.call, "MIGRATE", "127.0.0.1", nobody, "k", 0, 1000) == (
            "IOERR error or timeout connecting to the client"
        )
        assert other.call("GET", "k") == b"1"


def dying():
    """A target that is killed between two migrations, and while one is under way."""
    with ours() as here, Wire(here.port) as a:
        there = ours()
        a.call("MSET", "a", 1, "b", 2)
        assert migrate(a, there, "a") == b"OK"
        there.process.send_signal(signal.SIGKILL)
        there.process.wait()
        assert "IOERR" in refused(migrate, a, there, "b")
        there.start()
        assert migrate(a, there, "b") == b"OK" and a.call("DBSIZE") == 0
        big = "x" * (16 << 20)
        a.call("SET", "big", big)
        with Wire(there.port) as b:
            a.send(pack("MIGRATE", "127.0.0.1", there.port, "big", 0, 10000))
            time.sleep(0.02)  # somewhere within
            there.process.send_signal(signal.SIGKILL)
            there.process.wait()
        answer = a.value()
        there.start()
        with Wire(there.port) as b:
            here_too, there_too = a.call("EXISTS", "big"), b.call("EXISTS", "big")
            assert here_too == 1 or answer == b"OK", (answer, here_too, there_too)
        there.__exit__()
        return f"{answer}"


def changing(target, *directives):
    """Keys that others write, delete, make and rename while they move: what was acknowledged is where the key is."""
    with ours("--appendonly", "yes", *directives) as here, target as there, Wire(here.port) as a, Wire(there.port) as b:
        stop, counts, rounds, restless = threading.Event(), {}, 0, 0

        def write():
            with Wire(here.port) as w:
                at = 0
                while not stop.is_set():
                    key = f"n:{at % 40}"
                    # Only where it is still here: what is counted is what a key that exists was given.
                    if w.call("EVAL", "return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('INCR', KEYS[1])", 1, key):
                        counts[key] = counts.get(key, 0) + 1
                    at += 1

        keys = [f"n:{n}" for n in range(40)]
        a.call("MSET", *[w for key in keys for w in (key, 0)])
        writer = threading.Thread(target=write)
        writer.start()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            try:
                for group in range(0, 40, 8):
                    a.call("MIGRATE", "127.0.0.1", there.port, "", 0, 60000, "REPLACE", "KEYS", *keys[group:group + 8])
                b.call("MIGRATE", "127.0.0.1", here.port, "", 0, 60000, "REPLACE", "KEYS", *keys)
                rounds += 1
            except WireError as error:
                assert "change faster" in str(error), error
                restless += 1
        stop.set()
        writer.join()
        for key in keys:
            value, other = a.call("GET", key), b.call("GET", key)
            best = value if value is not None else other
            assert int(best) == counts.get(key, 0), (key, value, other, counts.get(key))
        before = a.call("DEBUG", "DIGEST")
        a.call("DEBUG", "LOADAOF")
        assert a.call("DEBUG", "DIGEST") == before
        return f"{rounds} rounds, {restless} given up, {sum(counts.values())} writes meanwhile"


def crowd():
    """Many clients move the same keys to and fro at a time: no key is lost, and no value is an old one."""
    with ours("--io-threads", "4") as here, ours("--io-threads", "4") as there, Wire(here.port) as a, Wire(there.port) as b:
        keys = [f"k:{n}" for n in range(20)]
        a.call("MSET", *[w for key in keys for w in (key, key)])
        stop, answers = threading.Event(), {}

        def move(source, target, seed):
            rng = random.Random(seed)
            with Wire(source.port) as wire:
                while not stop.is_set():
                    some = rng.sample(keys, rng.randrange(1, 6))
                    try:
                        answer = wire.call("MIGRATE", "127.0.0.1", target.port, "", 0, 60000, "REPLACE", "KEYS", *some).decode()
                    except WireError as error:
                        answer = " ".join(str(error).split()[:3])
                    answers[answer] = answers.get(answer, 0) + 1

        movers = [threading.Thread(target=move, args=(*way, n)) for n in range(3) for way in ((here, there), (there, here))]
        for mover in movers:
            mover.start()
        time.sleep(4)
        stop.set()
        for mover in movers:
            mover.join()
        for key in keys:
            values = {a.call("GET", key), b.call("GET", key)} - {None}
            assert values == {key.encode()}, (key, values)
        assert set(answers) <= {"OK", "NOKEY", "ERR a key", "ERR keys change"}, answers
        for wire in (a, b):
            assert wait_until(lambda: b"total_blocking_keys:0" in wire.call("INFO", "clients"))
        return str(answers)


def actor(play):
    """A target that does what `play` does with its first connection; its port."""
    stage = socket.socket()
    stage.bind(("127.0.0.1", 0))
    stage.listen()

    def perform():
        with stage, stage.accept()[0] as connection:
            play(connection)

    threading.Thread(target=perform, daemon=True).start()
    return stage.getsockname()[1]


def cut_off():
    """The target goes away in the middle of a value."""
    def play(connection):
        connection.recv(1000)
        connection.sendall(b"+OK\r\n")
        for _ in range(20):
            connection.recv(1 << 16)

    with ours() as here, Wire(here.port) as a:
        a.call("SET", "k", os.urandom(16 << 20))
        error = refused(a.call, "MIGRATE", "127.0.0.1", actor(play), "k", 9, 60000)
        assert error == "IOERR error or timeout writing to target instance", error
        assert a.call("STRLEN", "k") == 16 << 20


def restless():
    """A key that changes all the time is given up, and stays."""
    def play(connection):
        while data := connection.recv(1 << 16):
            time.sleep(0.01)
            connection.sendall(b"+OK\r\n" * (data.count(b"RESTORE") + data.count(b"SELECT")))

    with ours() as here, Wire(here.port) as a, Wire(here.port) as other:
        a.call("MSET", "k", 0, "calm", 1)
        a.send(pack("MIGRATE", "127.0.0.1", actor(play), "", 9, 60000, "KEYS", "k", "calm"))
        a.sock.settimeout(0)
        count = 0
        while True:
            try:
                error = a.value()
                break
            except BlockingIOError:
                count += other.call("INCR", "k") > 0
                assert count < 100000
        assert "keys change faster than they can be migrated" in str(error), error
        assert a.buf == b""
        assert other.call("MGET", "k", "calm") == [str(count).encode(), None]
        return f"{count} writes meanwhile"


def gone():
    """A key that is deleted while it moves is deleted there, too; what is done to the groups of a stream has been done there."""
    with ours() as here, ours() as there, Wire(here.port) as a, Wire(here.port) as other, Wire(there.port) as b:
        assert not a.call("EXISTS", "k")
        a.call("MSET", "k", 1, "kept", 2)
        for stream in ("acked", "grouped"):
            a.call("XADD", stream, "1-1", "f", "v")
            a.call("XGROUP", "CREATE", stream, "g", 0)
            a.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", stream, ">")
        with Asleep(there):
            a.send(pack("MIGRATE", "127.0.0.1", there.port, "", 0, 60000, "KEYS", "k", "kept", "acked", "grouped"))
            assert wait_until(lambda: blocked(other))
            assert other.call("DEL", "k") == 1
            other.call("APPEND", "kept", "more")
            assert other.call("XACK", "acked", "g", "1-1") == 1
            other.call("XGROUP", "CREATE", "grouped", "new", 0)
        assert a.reply() == b"OK"
        assert a.call("DBSIZE") == 0
        assert b.call("MGET", "k", "kept") == [None, b"2more"]
        assert b.call("XPENDING", "acked", "g")[0] == 0
        assert len(b.call("XINFO", "GROUPS", "grouped")) == 2


def told():
    """The log has a DEL; those who wait for the key and those who watch it hear of it; the password shows nowhere."""
    with ours("--appendonly", "yes", "--slowlog-log-slower-than", "0", "--notify-keyspace-events", "KEA") as here:
        with ours() as there, Wire(here.port) as a, Wire(here.port) as w, Wire(here.port) as m:
            with Wire(there.port) as b, Wire(here.port) as group, Wire(here.port) as sub:
                b.call("CONFIG", "SET", "requirepass", "secret")
                a.call("XADD", "s", "1-1", "f", "v")
                a.call("XGROUP", "CREATE", "s", "g", "$")
                group.send(pack("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">"))
                sub.call("SUBSCRIBE", "__keyspace@0__:s")
                w.call("WATCH", "s")
                w.call("MULTI")
                w.call("PING")
                m.call("MONITOR")
                assert wait_until(lambda: blocked(a))
                assert migrate(a, there, "s", "AUTH", "secret") == b"OK"
                assert "NOGROUP" in refused(group.reply)
                events = [sub.reply()[2]]
                while events[-1] != b"del":
                    events.append(sub.reply()[2])
                assert b"expired" not in events, events
                assert w.call("EXEC") is None
                lines = [m.line()]
                while b"igrate" not in lines[-1].lower():
                    lines.append(m.line())
                assert b"(redacted)" in lines[-1] and b"secret" not in lines[-1], lines[-1]
                log = a.call("SLOWLOG", "GET", -1)
                assert not any(b"secret" in word for entry in log for word in entry[3])
                assert any(entry[3][0].lower() == b"migrate" for entry in log)
                assert b"cmdstat_migrate:calls=1" in a.call("INFO", "commandstats")
                assert a.call("DEBUG", "LOADAOF") == b"OK" and a.call("DBSIZE") == 0


def links():
    """Connections are kept for ten seconds."""
    with ours() as here, ours() as there, Wire(here.port) as a, Wire(there.port) as b:
        def count():
            text = a.call("INFO", "stats")
            return int(text.split(b"migrate_cached_sockets:")[1].split()[0])

        a.call("MSET", "a", 1, "b", 2)
        migrate(a, there, "a")
        before = b"total_connections_received"
        first = b.call("INFO", "stats").split(before)[1].split()[0]
        migrate(a, there, "b")
        assert b.call("INFO", "stats").split(before)[1].split()[0] == first
        assert count() == 1
        assert wait_until(lambda: count() == 0, every_s=0.2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=None)
    parser.add_argument("--peer", default=VALKEY)
    args = parser.parse_args()
    OPT.server, OPT.peer = server_command(args.server), args.peer
    tally = Tally()
    tally.run("all types, one server of ours to another and back", moves_all, ours(), ours())
    tally.run("COPY, REPLACE, databases, TTLs, many KEYS", options)
    tally.run("AUTH and AUTH2", passwords)
    tally.run("the target sleeps", waiting)
    tally.run("how waiting ends", endings)
    tally.run("the target dies", dying)
    tally.run("the target goes away in the middle of a value", cut_off)
    tally.run("a key changes all the time", restless)
    tally.run("keys are written meanwhile", changing, ours())
    tally.run("keys are written meanwhile, on four threads", changing, ours("--io-threads", "4"), "--io-threads", "4")
    tally.run("many move the same keys to and fro", crowd)
    tally.run("keys are deleted and groups change meanwhile", gone)
    tally.run("what others hear of it", told)
    tally.run("connections are kept, and closed", links)
    if os.path.exists(OPT.peer):
        tally.run("all types, ours to Valkey and back", moves_all, ours(), valkey())
        tally.run("all types, Valkey to ours and back", moves_all, valkey(), ours())
        tally.run("keys are written meanwhile, to Valkey and back", changing, valkey())
    sys.exit(tally.close())


if __name__ == "__main__":
    main()
