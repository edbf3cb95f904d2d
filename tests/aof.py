#!/usr/bin/env python3
"""The append-only file of real processes: restarts, kill -9 under load, rewrites, and files of Valkey and Redis both ways.

usage: aof.py [--server 'COMMAND with {port} and {dir}'] [--peer NAME=PATH ...] [--rounds N] [--seed N]

Under `appendfsync always`, what was answered before kill -9 is there afterwards, whole, and at most one more command of each
connection. Standard library only.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

from harness import Server, Tally, Wire, WireError, server_command

OPT = argparse.Namespace()
CACHE = os.path.expanduser("~/.cache/peers")
PEERS = {
    "redis70": f"{CACHE}/redis70/redis-server",
    "redis": f"{CACHE}/redis/src/redis-server",
    "valkey": f"{CACHE}/valkey/src/valkey-server",
}
FLAGS = ("--save", "", "--enable-debug-command", "yes", "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")


def digest(port):
    with Wire(port) as wire:
        return wire.call("DEBUG", "DIGEST")


def wait_for_rewrite(wire):
    for _ in range(600):
        text = wire.call("INFO", "persistence")
        if b"aof_rewrite_in_progress:0" in text and b"aof_rewrite_scheduled:0" in text:
            return
        time.sleep(0.05)
    raise AssertionError("the rewrite does not end")


def kill(server):
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()


def fill(wire, rng, count=300):
    """Values of every type, transactions, other databases, expiries far away."""
    for number in range(count):
        kind = rng.randrange(7)
        key = f"{kind}:{rng.randrange(20)}"
        value = "v" * rng.randrange(900)
        if kind == 0:
            wire.call("SET", key, value)
        elif kind == 1:
            wire.call("RPUSH", key, value, number)
        elif kind == 2:
            wire.call("SADD", key, number, "member")
        elif kind == 3:
            # A score that all print alike, as their digests are of what they print.
            wire.call("ZADD", key, rng.randrange(1024) / 1024, number)
        elif kind == 4:
            wire.call("HSET", key, number, value)
        elif kind == 5:
            wire.call("XADD", key, "*", "field", value)
        else:
            wire.call("MULTI")
            wire.call("INCR", "count:a")
            wire.call("INCR", "count:b")
            wire.call("EXEC")
    wire.call("SELECT", 3)
    wire.call("SET", "elsewhere", "x", "EX", 100000)
    wire.call("SELECT", 0)


def restart(rng, fsync, base):
    with Server(OPT.server, *FLAGS, "--appendfsync", fsync, "--aof-use-rdb-preamble", base) as server:
        for _ in range(2):
            with Wire(server.port) as wire:
                fill(wire, rng)
                wire.call("BGREWRITEAOF")
                fill(wire, rng, 50)
                wait_for_rewrite(wire)
                fill(wire, rng, 50)
            before = digest(server.port)
            server.stop()
            server.start()
            assert digest(server.port) == before, "the data is not what it was"


class Load(threading.Thread):
    """One client that appends numbers to a list of its own and remembers what was answered."""

    def __init__(self, port, name):
        super().__init__()
        self.port, self.name, self.answered = port, name, 0

    def run(self):
        try:
            with Wire(self.port) as wire:
                while True:
                    wire.call("MULTI")
                    wire.call("RPUSH", f"list:{self.name}", self.answered)
                    wire.call("INCR", f"count:{self.name}")
                    wire.call("EXEC")
                    self.answered += 1
        except (OSError, EOFError):
            pass


def kills(rng):
    with Server(OPT.server, *FLAGS, "--appendfsync", "always") as server:
        done = [0] * 8
        for at in range(OPT.rounds):
            clients = [Load(server.port, str(n)) for n in range(len(done))]
            for client, count in zip(clients, done):
                client.answered = count
                client.start()
            time.sleep(rng.uniform(0.05, 0.4))
            if at % 3 == 0:
                with Wire(server.port) as wire:
                    wire.call("BGREWRITEAOF")
                time.sleep(rng.uniform(0, 0.05))
            kill(server)
            for client in clients:
                client.join()
            server.start()
            with Wire(server.port) as wire:
                for n, client in enumerate(clients):
                    there = wire.call("LLEN", f"list:{n}")
                    count = int(wire.call("GET", f"count:{n}") or 0)
                    assert there == count, f"half of a transaction: {there} {count}"
                    answered = client.answered
                    assert answered <= there <= answered + 1, f"{answered} answered, {there} there"
                    done[n] = there
    return f"{OPT.rounds} times, {sum(done)} transactions"


def moved(rng, one, other, base):
    """Files of one server are loaded by another."""
    flags = (*FLAGS, "--aof-use-rdb-preamble", base)
    if one == OPT.server and "redis70" in other:
        one += " --rdb-format redis-7.0"
    with Server(one, *flags) as first, Server(other, *flags, start=False) as second:
        with Wire(first.port) as wire:
            fill(wire, rng)
            wire.call("BGREWRITEAOF")
            wait_for_rewrite(wire)
            fill(wire, rng, 200)
        before = digest(first.port)
        first.stop()
        shutil.copytree(os.path.join(first.dir, "appendonlydir"), os.path.join(second.dir, "appendonlydir"))
        second.start()
        assert digest(second.port) == before, "the data is not what it was"


def damage(annotations, at, garbage):
    """A file that is broken somewhere is refused, with exit code 1 and a message that says where, and not touched."""
    with Server(OPT.server, *FLAGS, "--aof-annotations", annotations) as server:
        with Wire(server.port) as wire:
            for number in range(400):
                wire.call("SET", f"key:{number}", "value" * 20)
            wire.call("WAITAOF", 1, 0, 0)
            for number in range(400):
                wire.call("SET", f"more:{number}", "value" * 20)
            wire.call("WAITAOF", 1, 0, 0)
        server.stop()
        path = os.path.join(server.dir, "appendonlydir", "appendonly.aof.1.incr.aof")
        with open(path, "rb") as file:
            whole = file.read()
        broken = whole[:at] + garbage(whole[at:at + 512]) + whole[at + 512:]
        with open(path, "wb") as file:
            file.write(broken)
        ended = subprocess.run(server.argv, cwd=server.dir, capture_output=True, timeout=60, check=False)
        assert ended.returncode == 1, f"it ended with {ended.returncode}"
        last = ended.stdout.decode(errors="replace").strip().splitlines()[-1]
        assert "appendonly.aof.1.incr.aof" in last and "offset" in last and "This is not what a crash leaves" in last, last
        with open(path, "rb") as file:
            assert file.read() == broken, "the file was touched"


def second_start():
    """A second server on the same files does not start, and says who uses them; one that is asked to at run time refuses."""
    with Server(OPT.server, *FLAGS, "--appendfsync", "always") as server:
        with Wire(server.port) as wire:
            wire.call("SET", "key", "value")
        with Server(OPT.server, *FLAGS, start=False) as other:
            argv = [word.replace(other.dir, server.dir) for word in other.argv]
            ended = subprocess.run(argv, cwd=server.dir, capture_output=True, timeout=60, check=False)
            assert ended.returncode == 1, f"it ended with {ended.returncode}"
            assert f"another server, process {server.process.pid}," in ended.stdout.decode(), ended.stdout
            argv[argv.index("--appendonly") + 1] = "no"
            other.argv = argv
            other.start()
            with Wire(other.port) as wire:
                try:
                    wire.call("CONFIG", "SET", "appendonly", "yes")
                except WireError as error:
                    assert "Unable to turn on AOF" in str(error), error
                for _ in range(100):
                    if "uses these files" in other.log():
                        break
                    time.sleep(0.05)
                else:
                    raise AssertionError(f"it does not say why there is no append-only file: {other.log()}")
        with Wire(server.port) as wire:
            wire.call("SET", "key", "more")
        kill(server)
        server.start()
        with Wire(server.port) as wire:
            assert wire.call("GET", "key") == b"more"


def switching(rng):
    with Server(OPT.server, *FLAGS, "--appendonly", "no") as server:
        with Wire(server.port) as wire:
            fill(wire, rng)
            try:
                wire.call("WAITAOF", 1, 0, 0)
                raise AssertionError("no append-only file, and WAITAOF waits")
            except WireError as error:
                assert "appendonly is disabled" in str(error), error
            wire.call("CONFIG", "SET", "appendonly", "yes")
            fill(wire, rng, 100)
            wait_for_rewrite(wire)
            assert wire.call("WAITAOF", 1, 0, 5000) == [1, 0]
            before = wire.call("DEBUG", "DIGEST")
            assert wire.call("DEBUG", "LOADAOF") == b"OK"
            assert wire.call("DEBUG", "DIGEST") == before
            wire.call("CONFIG", "SET", "appendonly", "no")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=None)
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    OPT.server, OPT.rounds = server_command(args.server), args.rounds
    named = dict(peer.split("=", 1) for peer in args.peer) or PEERS
    OPT.peers = {name: path for name, path in named.items() if os.path.exists(path)}
    rng = random.Random(args.seed)
    tally = Tally()
    for fsync in ("always", "everysec", "no"):
        for base in ("yes", "no"):
            name = f"restart, appendfsync {fsync}, aof-use-rdb-preamble {base}"
            tally.run(name, restart, rng, fsync, base)
    tally.run("CONFIG SET appendonly yes, and no, while it runs", switching, rng)
    tally.run("a flipped byte is refused", damage, "yes", 9000, lambda old: bytes([old[0] ^ 1]) + old[1:])
    tally.run("a first sector of garbage is refused, without checksums", damage, "no", 0, lambda old: b"\x5a" * len(old))
    tally.run("a second server on the same files", second_start)
    tally.run("kill -9 under load", kills, rng)
    for name, path in OPT.peers.items():
        template = path + " --port {port} --dir {dir}"
        for base in ("yes", "no"):
            note = f"aof-use-rdb-preamble {base}"
            tally.run(f"{name} to here, {note}", moved, rng, template, OPT.server, base)
            tally.run(f"here to {name}, {note}", moved, rng, OPT.server, template, base)
    sys.exit(tally.close())


if __name__ == "__main__":
    main()
