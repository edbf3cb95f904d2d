#!/usr/bin/env python3
"""The append-only file of real processes: restarts, kill -9 under load, rewrites, and files of Valkey and Redis both ways.

usage: aof.py [--server 'COMMAND with {port} and {dir}'] [--peer NAME=PATH ...] [--rounds N] [--seed N]

Under `appendfsync always`, what was answered before kill -9 is there afterwards, whole, and at most one more command of each
connection. Standard library only.
"""
import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from harness import HANGS_S, Server, Skip, Tally, Wire, WireError, pack, server_command, wait_until

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
    def over():
        text = wire.call("INFO", "persistence")
        return b"aof_rewrite_in_progress:0" in text and b"aof_rewrite_scheduled:0" in text

    assert wait_until(over, every_s=0.05), "the rewrite does not end"


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
                with open(os.path.join(server.dir, "appendonlydir", "appendonly.aof.manifest")) as manifest:
                    assert " type h" not in manifest.read(), "the rewrite is over, and old files are listed"
                fill(wire, rng, 50)
            before = digest(server.port)
            server.stop()
            server.start()
            assert digest(server.port) == before, "the data is not what it was"


def starts_empty(appendonly):
    """Nobody is told that a server is loading that has nothing to load."""
    with Server(OPT.server, *FLAGS, "--appendonly", appendonly, start=False) as server:
        for _ in range(10):
            server.process = subprocess.Popen(server.argv, cwd=server.dir, stdout=subprocess.DEVNULL)
            end = time.monotonic() + HANGS_S
            while True:
                try:
                    with Wire(server.port) as wire:
                        assert wire.call("SET", "key", "value") == b"OK"
                    break
                except ConnectionRefusedError:
                    assert time.monotonic() < end, "nobody listens"
            kill(server)
            for name in os.listdir(server.dir):
                shutil.rmtree(os.path.join(server.dir, name), ignore_errors=True)


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
        ended = subprocess.run(server.argv, cwd=server.dir, capture_output=True, timeout=HANGS_S, check=False)
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
            ended = subprocess.run(argv, cwd=server.dir, capture_output=True, timeout=HANGS_S, check=False)
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
                said = lambda: "uses these files" in other.log()
                assert wait_until(said), f"it does not say why there is no append-only file: {other.log()}"
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
            before = wire.call("DEBUG", "DIGEST")
            try:
                wire.call("DEBUG", "LOADAOF")
                raise AssertionError("a file was loaded that does not exist")
            except WireError as error:
                assert "Error trying to load the AOF files" in str(error), error
            assert wire.call("DEBUG", "DIGEST") == before, "the data is gone"
            wire.call("CONFIG", "SET", "appendonly", "yes")
            fill(wire, rng, 100)
            wait_for_rewrite(wire)
            assert wire.call("WAITAOF", 1, 0, 60000) == [1, 0]
            before = wire.call("DEBUG", "DIGEST")
            assert wire.call("DEBUG", "LOADAOF") == b"OK"
            assert wire.call("DEBUG", "DIGEST") == before
            wire.call("CONFIG", "SET", "appendonly", "no")


def switched_on_in_a_rewrite():
    """A rewrite that began before there was a writer is not the writer's: it is broken off, and another begins."""
    with Server(OPT.server, *FLAGS, "--appendonly", "no") as server, Wire(server.port) as wire:
        slow_rewrite(wire)
        begun = rewrites(wire)
        assert wire.call("CONFIG", "SET", "appendonly", "yes") == b"OK"
        wire.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert wait_until(lambda: rewrites(wire) > begun)
        wait_for_rewrite(wire)
        wire.call("SET", "behind", "it")
        assert wire.call("WAITAOF", 1, 0, 60000) == [1, 0]
        assert "Write error" not in server.log()
        before = digest(server.port)
        kill(server)
        server.argv += ("--appendonly", "yes")
        server.start()
        assert digest(server.port) == before, "the data is not what it was"


def a_tool_beside():
    """check-aof cuts nothing while a server appends to it."""
    with Server(OPT.server, *FLAGS, "--appendfsync", "always", "--aof-timestamp-enabled", "yes") as server:
        with Wire(server.port) as wire:
            wire.call("SET", "one", "1")
            time.sleep(1.2)
            wire.call("SET", "two", "2")
            manifest = os.path.join(server.dir, "appendonlydir", "appendonly.aof.manifest")
            tool = [server.argv[0], "check-aof"]
            for words in (["--fix"], ["--truncate-to-timestamp", str(int(time.time()) - 1)]):
                done = subprocess.run([*tool, *words, manifest], input=b"y\n", capture_output=True)
                assert done.returncode == 1 and b"another server" in done.stdout, done.stdout
            assert subprocess.run([*tool, manifest], capture_output=True).returncode == 0
        kill(server)
        server.start()
        with Wire(server.port) as wire:
            assert wire.call("MGET", "one", "two") == [b"1", b"2"]


def single_file():
    """The single file of an older server is taken over where it is loaded; CONFIG SET leaves it alone."""
    with Server(OPT.server, *FLAGS, "--appendonly", "no") as server:
        old = os.path.join(server.dir, "appendonly.aof")
        with open(old, "wb") as file:
            file.write(pack("SET", "theirs", 1))
        with Wire(server.port) as wire:
            wire.call("SET", "ours", 1)
            wire.call("CONFIG", "SET", "appendonly", "yes")
            wait_for_rewrite(wire)
            wire.call("BGREWRITEAOF")
            wait_for_rewrite(wire)
        with open(old, "rb") as file:
            assert file.read() == pack("SET", "theirs", 1), "the old file was touched"
        server.stop()
        server.argv += ["--appendonly", "yes"]
        server.start()
        with Wire(server.port) as wire:
            assert wire.call("KEYS", "*") == [b"ours"]
        server.stop()
        shutil.rmtree(os.path.join(server.dir, "appendonlydir"))
        server.start()
        with Wire(server.port) as wire:
            assert wire.call("KEYS", "*") == [b"theirs"]


def moved_dir():
    """CONFIG SET dir leaves the set where it is, whole: rewrites too, and what DEBUG LOADAOF loads."""
    flags = (*FLAGS, "--appendfsync", "always", "--enable-protected-configs", "yes")
    with Server(OPT.server, *flags) as server:
        other = os.path.join(server.dir, "other")
        os.mkdir(other)
        with Wire(server.port) as wire:
            for number in range(50):
                wire.call("SET", f"key:{number}", "v")
            wire.call("CONFIG", "SET", "dir", other)
            wire.call("SET", "between", 1)
            wire.call("BGREWRITEAOF")
            wait_for_rewrite(wire)
            wire.call("SET", "after", 1)
            before = wire.call("DEBUG", "DIGEST")
            assert wire.call("DEBUG", "LOADAOF") == b"OK"
            assert wire.call("DEBUG", "DIGEST") == before
            wire.call("SET", "last", 1)
            before = wire.call("DEBUG", "DIGEST")
            assert os.listdir(other) == []
        kill(server)
        server.start()
        assert digest(server.port) == before, "the data is not what it was"
        # Switched off and on, it is in the new folder.
        with Wire(server.port) as wire:
            wire.call("CONFIG", "SET", "appendonly", "no", "dir", other)
            wire.call("CONFIG", "SET", "appendonly", "yes")
            assert wire.call("WAITAOF", 1, 0, 60000) == [1, 0]
        kill(server)
        server.argv += ["--dir", other]
        server.start()
        assert digest(server.port) == before, "the data is not what it was"


def no_file():
    """DEBUG LOADAOF without a file leaves the data alone."""
    with Server(OPT.server, *FLAGS, "--appendonly", "no") as server, Wire(server.port) as wire:
        wire.call("SET", "key", 1)
        try:
            wire.call("DEBUG", "LOADAOF")
            raise AssertionError("it has loaded what is not there")
        except WireError as error:
            assert "trying to load" in str(error), error
        assert wire.call("GET", "key") == b"1"


def promises(fsync):
    """CONFIG SET appendonly yes either fails, or nothing is said to be on disk before it is."""
    flags = (*FLAGS, "--appendonly", "no", "--appendfsync", fsync, "--durability-timeout", "500")
    with Server(OPT.server, *flags) as server, Wire(server.port) as wire, Wire(server.port) as reader:
        folder = os.path.join(server.dir, "appendonlydir")
        with open(folder, "wb"):
            pass
        try:
            wire.call("CONFIG", "SET", "appendonly", "yes")
            raise AssertionError("there can be no append-only file, and CONFIG SET says OK")
        except WireError as error:
            assert "Unable to turn on AOF" in str(error), error
        assert wire.call("CONFIG", "GET", "appendonly") == [b"appendonly", b"no"]
        assert wire.call("SET", "a", 1) == b"OK"
        os.remove(folder)
        # A base that takes a minute.
        for number in range(300):
            wire.call("SET", f"key:{number}", "v")
        wire.call("CONFIG", "SET", "rdb-key-save-delay", 200_000)
        wire.call("CONFIG", "SET", "appendonly", "yes")
        assert reader.call("WAITAOF", 1, 0, 300) == [0, 0], "there is no base yet"
        try:
            assert wire.call("SET", "b", 2) == b"OK"
            assert fsync != "always", "it is not on disk yet"
        except WireError as error:
            assert fsync == "always" and "not confirmed" in str(error), error
        assert wire.call("WAITAOF", 1, 0, 300) == [0, 0], "there is no base yet"
        wire.send(pack("WAITAOF", 1, 0, 0))
        reader.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert wire.reply() == [1, 0]
        kill(server)
        server.argv += ["--appendonly", "yes"]
        server.start()
        with Wire(server.port) as wire:
            assert wire.call("GET", "b") == b"2"


def slow_rewrite(wire):
    """Begins one that takes minutes."""
    for number in range(1000):
        wire.send(pack("SET", f"key:{number}", "v"))
    for _ in range(1000):
        wire.reply()
    wire.call("CONFIG", "SET", "rdb-key-save-delay", 200_000)
    assert b"started" in wire.call("BGREWRITEAOF")
    assert wait_until(lambda: b"aof_rewrite_in_progress:1" in wire.call("INFO", "persistence"))


def worker_of(wire):
    """The number of the worker that serves a connection."""
    return int(re.search(rb" io-thread=(\d+) ", wire.call("CLIENT", "INFO"))[1])


def stopping(how):
    """A rewrite does not keep the server from ending, nor its end from saving both files."""
    with Server(OPT.server, *FLAGS, "--io-threads", "2") as server:
        # SHUTDOWN holds up those whom its worker serves.
        wires = [Wire(server.port)]
        while worker_of(wires[0]) == worker_of(wires[-1]):
            wires.append(Wire(server.port))
            assert len(wires) < 100, "they are all on one worker"
        with wires[0] as wire, wires[-1] as other:
            slow_rewrite(wire)
            before = digest(server.port)
            if how == "SIGTERM":
                wire.call("CONFIG", "SET", "save", "3600 1000000")
                server.process.send_signal(signal.SIGTERM)
            else:
                other.send(pack("SHUTDOWN", "SAVE"))
            # The last snapshot is as slow.
            time.sleep(0.5)
            wire.call("CONFIG", "SET", "rdb-key-save-delay", 0)
            assert server.process.wait(HANGS_S) == 0
        assert not [name for name in os.listdir(os.path.join(server.dir, "appendonlydir")) if "temp" in name]
        for flags in (("--appendonly", "yes"), ("--appendonly", "no")):
            server.argv += flags
            server.start()
            assert digest(server.port) == before, "the data is not what it was"
            server.stop()


def rewrites(wire):
    """How many have begun."""
    return int(re.search(rb"aof_rewrites:(\d+)", wire.call("INFO", "persistence"))[1])


def saving_in_a_rewrite():
    """SAVE waits for a rewrite, DEBUG RELOAD and LOADAOF break it off, and it begins again."""
    with Server(OPT.server, *FLAGS) as server, Wire(server.port) as wire, Wire(server.port) as other:
        slow_rewrite(wire)
        before = digest(server.port)
        wire.send(pack("SAVE"))
        time.sleep(0.2)
        other.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert wire.reply() == b"OK"
        wait_for_rewrite(wire)
        for command in ("RELOAD", "LOADAOF"):
            slow_rewrite(wire)
            begun = rewrites(wire)
            other.call("CONFIG", "SET", "rdb-key-save-delay", 2000)
            assert wire.call("DEBUG", command) == b"OK"
            assert wait_until(lambda: rewrites(wire) > begun), command
            assert digest(server.port) == before
            other.call("CONFIG", "SET", "rdb-key-save-delay", 0)
            wait_for_rewrite(wire)
        kill(server)
        server.start()
        assert digest(server.port) == before, "the data is not what it was"


def unread_feed():
    """Replicas that do not read hold the one snapshot, in turn: a rewrite is scheduled, and the server ends, and saves."""
    with Server(OPT.server, *FLAGS) as server, Wire(server.port) as wire, Wire(server.port, rcvbuf=4096) as replica:
        for number in range(200):
            wire.call("SET", f"key:{number}", os.urandom(50000))
        replica.call("REPLCONF", "capa", "eof", "capa", "psync2")
        replica.send(pack("PSYNC", "?", -1))
        # The line before the snapshot, and the snapshot's first.
        assert replica.line().startswith(b"+FULLRESYNC")
        while not replica.line().startswith(b"$"):
            pass
        assert b"scheduled" in wire.call("BGREWRITEAOF")
        text = wire.call("INFO", "persistence")
        assert b"aof_rewrite_in_progress:0" in text and b"aof_rewrite_scheduled:1" in text
        wire.call("CONFIG", "SET", "save", "3600 1000000")
        # Others wait for their turn, and take it when it is free.
        others = [Wire(server.port, rcvbuf=4096) for _ in range(8)]
        for other in others:
            other.call("REPLCONF", "capa", "eof", "capa", "psync2")
            other.send(pack("PSYNC", "?", -1))
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(HANGS_S) == 0
        assert os.path.exists(os.path.join(server.dir, "dump.rdb"))


def full_disk():
    """SAVE on a full disk says that it failed, whatever replies wait for the append-only file."""
    flags = (*FLAGS, "--appendfsync", "always", "--durability-timeout", "5000", "--rdbcompression", "no")
    with Server(OPT.server, *flags, start=False) as server:
        server.argv = ["sh", "-c", 'trap "" XFSZ; ulimit -f 400; exec "$@"', "sh", *server.argv]
        server.start()
        with Wire(server.port) as wire:
            try:
                for number in range(100):
                    wire.call("SET", number, os.urandom(10000))
                raise AssertionError("the disk is not full")
            except WireError as error:
                assert "MISCONF" in str(error), error
            try:
                wire.call("SAVE")
                raise AssertionError("the disk is full, and SAVE says OK")
            except WireError as error:
                assert str(error) == "ERR", error
        kill(server)


def setters():
    """CONFIG SET and INFO while rewrites begin and end: nobody waits for ever."""
    with Server(OPT.server, *FLAGS) as server:
        until, errors = time.monotonic() + 4, []

        def client(*turns):
            try:
                with Wire(server.port) as wire:
                    while time.monotonic() < until:
                        for words in turns:
                            try:
                                wire.call(*words)
                            except WireError:
                                pass  # a rewrite is under way
            except OSError as error:
                errors.append(f"{turns[0]}: {error!r}")

        def toggle(name, *values):
            return [("CONFIG", "SET", name, value) for value in values]

        kinds = (
            toggle("appendfsync", "always", "everysec"),
            toggle("no-appendfsync-on-rewrite", "yes", "no"),
            toggle("appendonly", "no", "yes"),
            [("BGREWRITEAOF",)],
            [("INFO", "persistence"), ("SET", "key", "value")],
        )
        threads = [threading.Thread(target=client, args=kind) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        with Wire(server.port) as wire:
            wire.call("CONFIG", "SET", "appendonly", "yes")
            wire.call("SET", "key", "last")
            assert wire.call("WAITAOF", 1, 0, 60000) == [1, 0]
        kill(server)
        server.start()
        with Wire(server.port) as wire:
            assert wire.call("GET", "key") == b"last"


def hung():
    """A sync that hangs holds up who waits for it, not who changes the parameters of the AOF, nor anybody else."""
    if not shutil.which("strace"):
        raise Skip("there is no strace to delay a sync")
    flags = (*FLAGS, "--appendfsync", "always", "--durability-timeout", "60000")
    with Server(OPT.server, *flags) as server, Wire(server.port) as wire:
        wire.call("SET", "a", 1)
        delay = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=4000000"]
        strace = ["strace", "-f", "-q", "-o", "/dev/null", *delay, "-p", str(server.process.pid)]
        tracer = subprocess.Popen(strace, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            for words in (("appendfsync", "everysec"), ("aof-annotations", "no"), ("appendonly", "no")):
                with Wire(server.port) as writer, Wire(server.port) as other:
                    wire.call("CONFIG", "SET", "appendonly", "yes", "appendfsync", "always")
                    wait_for_rewrite(wire)
                    writer.send(pack("SET", "b", 2))
                    time.sleep(0.3)
                    begin = time.monotonic()
                    other.call("CONFIG", "SET", *words)
                    other.call("CONFIG", "GET", "appendfsync")
                    with Wire(server.port) as newcomer:
                        newcomer.call("PING")
                    took = time.monotonic() - begin
                    assert took < 3, f"CONFIG SET {words} took {took:.1f} s"
                    assert writer.reply() == b"OK"
                time.sleep(4)
        finally:
            tracer.terminate()
            tracer.wait()


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
    for appendonly in ("yes", "no"):
        tally.run(f"nothing to load, appendonly {appendonly}", starts_empty, appendonly)
    tally.run("CONFIG SET appendonly yes, and no, while it runs", switching, rng)
    tally.run("CONFIG SET appendonly yes in a rewrite", switched_on_in_a_rewrite)
    tally.run("check-aof beside a server", a_tool_beside)
    for fsync in ("always", "everysec"):
        tally.run(f"CONFIG SET appendonly yes promises nothing, appendfsync {fsync}", promises, fsync)
    tally.run("a single file that was not loaded stays", single_file)
    tally.run("CONFIG SET dir", moved_dir)
    tally.run("DEBUG LOADAOF without a file", no_file)
    for how in ("SIGTERM", "SHUTDOWN SAVE"):
        tally.run(f"{how} in a rewrite", stopping, how)
    tally.run("SAVE, DEBUG RELOAD and LOADAOF in a rewrite", saving_in_a_rewrite)
    tally.run("a replica that does not read", unread_feed)
    tally.run("SAVE on a full disk", full_disk)
    tally.run("CONFIG SET while rewrites begin", setters)
    tally.run("CONFIG SET while a sync hangs", hung)
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
