#!/usr/bin/env python3
"""kill -9 under load: what was promised is there after the restart, and nothing is there by halves.

usage: crash.py [--server 'COMMAND with {port} and {dir}'] [--kills N] [--seed N] [--only WORD]

Clients write without pause, each in an order of its own: a counter, two keys in a transaction, an element of a list, two
keys in one command. The process is killed at a random moment and started again. Then each client's keys must be
as they were at one point of its order: with `appendfsync always` not before its last answer, with `everysec` not before
its last answer of two seconds ago, with snapshots alone not before the last that was finished. The kills are spread over
these, and over rewrites of the append-only file. A disk that is full comes last. Closes with 'N passed, N failed'.
"""
import argparse
import bisect
import os
import random
import resource
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from harness import HANGS_S, Server, Tally, Wire, WireError, pack, server_command, wait_until  # noqa: E402

CLIENTS = 6
# A second between two syncs, and as long again for a machine that is busy.
WINDOW_S = 2.0


class Client(threading.Thread):
    """Writes, and remembers what was answered when."""

    def __init__(self, port, number, begin):
        super().__init__(daemon=True)
        self.port, self.number, self.sent = port, number, begin
        self.times, self.answered = [time.monotonic()], [begin]
        self.error = None

    def run(self):
        try:
            with Wire(self.port) as wire:
                while True:
                    self.sent += 1
                    wire.send(round_of(self.number, self.sent))
                    for _ in range(7):
                        wire.reply()
                    # In this order: whoever looks has no answer without its time.
                    self.answered.append(self.sent)
                    self.times.append(time.monotonic())
        except (OSError, EOFError):
            pass  # killed
        except Exception as error:
            self.error = error

    def answered_at(self, moment):
        return self.answered[max(0, bisect.bisect_right(self.times, moment) - 1)]


def round_of(client, number):
    """One round of a client: its commands, in one write."""
    key = f"client:{client}:"
    return b"".join((
        pack("INCR", key + "chain"),
        pack("MULTI"), pack("SET", key + "left", number), pack("SET", key + "right", number), pack("EXEC"),
        pack("RPUSH", key + "list", number),
        pack("MSET", key + "a", number, key + "b", number),
    ))


def state_of(wire, client):
    """How far the client's keys are, in the order in which a round changes them."""
    key = f"client:{client}:"
    number = lambda name: int(wire.call("GET", key + name) or 0)  # noqa: E731
    chain, left, right, a, b = map(number, ("chain", "left", "right", "a", "b"))
    assert left == right, f"half a transaction: {left} and {right}"
    assert a == b, f"half an MSET: {a} and {b}"
    elements = [int(n) for n in wire.call("LRANGE", key + "list", 0, -1)]
    assert elements == list(range(1, len(elements) + 1)), f"a hole in the list: {elements[-20:]}"
    places = [chain, left, len(elements), a]
    assert places == sorted(places, reverse=True) and chain - a <= 1, f"no point of the order: {places}"
    return places


class Saves(threading.Thread):
    """Watches snapshots being finished."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.seen, self.bounds = port, 0, []

    def run(self):
        try:
            with Wire(self.port) as wire:
                before = time.monotonic()
                while True:
                    begin = time.monotonic()
                    saves = int(info(wire, "persistence")["rdb_saves"])
                    if saves > self.seen:
                        # It had not ended when it was last looked for.
                        self.bounds.append(before)
                        self.seen = saves
                    before = begin
                    time.sleep(0.01)
        except (OSError, EOFError):
            pass

    def cut_after(self):
        """A moment before the cut of the last snapshot that was finished: it began when the one before had ended."""
        return self.bounds[-2] if len(self.bounds) >= 2 else 0


class Rewrites(threading.Thread):
    """Has the append-only file rewritten without pause."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port

    def run(self):
        try:
            with Wire(self.port) as wire:
                while True:
                    try:
                        wire.call("BGREWRITEAOF")
                    except WireError:
                        pass  # one is under way
                    time.sleep(0.02)
        except (OSError, EOFError):
            pass


def info(wire, section):
    lines = wire.call("INFO", section).decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


AOF = ("--appendonly", "yes", "--save", "", "--auto-aof-rewrite-percentage", "0")
MODES = {
    "always": (*AOF, "--appendfsync", "always"),
    "everysec": (*AOF, "--appendfsync", "everysec"),
    "snapshots": ("--appendonly", "no", "--save", "1 1"),
    "rewrite always": (*AOF, "--appendfsync", "always"),
    "rewrite everysec": (*AOF, "--appendfsync", "everysec"),
}


def kills(template, mode, count, rng):
    """Kills one server `count` times."""
    rounds = lost = 0
    with Server(template, *MODES[mode], "--io-threads", rng.choice("1248")) as server:
        begin = [0] * CLIENTS
        for kill in range(count):
            clients = [Client(server.port, n, begin[n]) for n in range(CLIENTS)]
            helpers = [Saves(server.port)] if mode == "snapshots" else []
            helpers += [Rewrites(server.port)] if mode.startswith("rewrite") else []
            for thread in clients + helpers:
                thread.start()
            longest = 3.5 if mode == "snapshots" else 1.2
            time.sleep(rng.uniform(0.02, longest))
            assert server.alive(), server.log()[-2000:]
            moment = time.monotonic()
            server.process.kill()
            server.process.wait()
            for thread in clients + helpers:
                thread.join(HANGS_S)
                assert not thread.is_alive(), "a client hangs"
            for client in clients:
                assert client.error is None, f"kill {kill}: {client.error}"
            server.start()
            with Wire(server.port) as wire:
                for client in clients:
                    places = state_of(wire, client.number)
                    where = f"kill {kill} of {mode}, client {client.number}"
                    assert places[0] <= client.sent, f"{where}: {places} of {client.sent} sent"
                    if mode.endswith("always"):
                        bound = client.answered[-1]
                    elif mode == "snapshots":
                        bound = client.answered_at(helpers[0].cut_after())
                    else:
                        bound = client.answered_at(moment - WINDOW_S)
                    bound = max(bound, begin[client.number])
                    assert places[-1] >= bound, f"{where}: {places} of {bound} that were safe"
                    rounds += client.answered[-1] - begin[client.number]
                    lost += max(0, client.answered[-1] - places[-1])
                if kill % 10 == 9:
                    wire.call("FLUSHALL")
                finish(wire)
                begin = [state_of(wire, n)[0] for n in range(CLIENTS)]
            if mode == "snapshots":
                with Wire(server.port) as wire:
                    assert wait_until(lambda: saves(wire)), "no SAVE"
    return f"{count} kills, {rounds} rounds answered, {lost} lost within the bound"


def saves(wire):
    try:
        return wire.call("SAVE") == b"OK"
    except WireError:
        return False  # a rule was quicker


def finish(wire):
    """Brings every client's keys to the end of their round, from where the next one goes on."""
    for client in range(CLIENTS):
        key = f"client:{client}:"
        chain, left, elements, a = state_of(wire, client)
        if left < chain:
            wire.call("MSET", key + "left", chain, key + "right", chain)
        if elements < chain:
            wire.call("RPUSH", key + "list", chain)
        if a < chain:
            wire.call("MSET", key + "a", chain, key + "b", chain)


class Limited(Server):
    """A server whose files cannot grow beyond a size, as on a disk that is full."""

    def start(self, limit_s=HANGS_S):
        keep = resource.getrlimit(resource.RLIMIT_FSIZE)
        popen = subprocess.Popen

        def limited(*args, **kwargs):
            kwargs["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, keep[1]))
            return popen(*args, **kwargs)

        subprocess.Popen = limited
        try:
            super().start(limit_s)
        finally:
            subprocess.Popen = popen


def reads(wire, number):
    try:
        return wire.call("GET", f"key:{number}") == b"x" * 3000
    except WireError:
        return False


def full_disk(template, mode):
    """Writes until the disk is full: the server says so, reads go on, and all is well when there is room again."""
    with Limited(template, *MODES[mode]) as server, Wire(server.port) as wire:
        answered, refusal = 0, None
        for number in range(20_000):
            try:
                wire.call("SET", f"key:{number}", "x" * 3000)
                answered = number + 1
            except WireError as error:
                refusal = str(error)
                break
        assert refusal and refusal.startswith("MISCONF"), f"{answered} written, then {refusal}"
        state = info(wire, "persistence")
        assert state["aof_last_write_status"] == "err", state
        # What shares a shard with a write that is not safe waits with it under `always`.
        assert sum(reads(wire, number) for number in range(50)) >= 25, "reads do not go on"
        assert "rror writing to the AOF file" in server.log(), server.log()[-500:]
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

        def writes():
            try:
                return wire.call("SET", "after", "1") == b"OK"
            except WireError:
                return False

        assert wait_until(writes), server.log()[-500:]
        assert info(wire, "persistence")["aof_last_write_status"] == "ok"
        # Under `everysec` a kill may cost what came within the last milliseconds.
        assert wait_until(lambda: info(wire, "persistence")["aof_buffer_length"] == "0")
        server.process.kill()
        server.process.wait()
        Server.start(server)
        with Wire(server.port) as again:
            for number in range(answered):
                assert again.call("GET", f"key:{number}") == b"x" * 3000, f"key {number} of {answered}"
            assert again.call("GET", "after") == b"1"
    return f"{answered} keys before the disk was full"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="the server's command line, with {port} and {dir}")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default="", help="modes whose name contains this")
    args = parser.parse_args()
    template = server_command(args.server)
    seed = args.seed if args.seed is not None else int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}", flush=True)
    rng, tally = random.Random(seed), Tally()
    modes = [mode for mode in MODES if args.only in mode]
    for at, mode in enumerate(modes):
        count = args.kills // len(modes) + (at < args.kills % len(modes))
        if count:
            tally.run(f"kill -9, {mode}", kills, template, mode, count, rng)
    for mode in ("always", "everysec"):
        if args.only in mode:
            tally.run(f"full disk, {mode}", full_disk, template, mode)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
