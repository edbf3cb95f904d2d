#!/usr/bin/env python3
"""Scripts that run for too long, and what else the server has to do meanwhile: nobody waits for them without end but who
sent them, and no thread does that others depend on.

usage: scripts.py [--server 'COMMAND with {port} and {dir}'] [--only PART,...]

Each test has a server of its own, with two workers; what is asked of both is asked on several new connections, which they
share. Standard library only.
"""
import argparse
import os
import re
import select
import signal
import sys
import time

from harness import HANGS_S, Server, Tally, Wire, WireError, pack, server_command, wait_until

OPT = argparse.Namespace()
FLAGS = ("--io-threads", "2", "--enable-debug-command", "yes", "--busy-reply-threshold", "100")
# A reply that takes longer hangs, as does one that waits for a script that does not end.
SOON_S = 30
CONNECTIONS = 6
FOREVER = "while true do end"


def serve(*directives):
    save = () if "--save" in directives else ("--save", "")
    return Server(OPT.server, *FLAGS, *save, *directives)


def spin(seconds):
    """Lua that takes so long."""
    return f"local began = os.clock() while os.clock() - began < {seconds} do end "


def answer(wire, *words):
    """A reply, an error as its text."""
    try:
        return wire.call(*words)
    except WireError as error:
        return str(error)


class Script:
    """A script on a connection of its own. Use as a context manager: when that is left, it has ended."""

    def __init__(self, server, text, *keys, overdue=True):
        self.server = server
        self.wire = Wire(server.port)
        self.worker = worker_of(self.wire)
        self.wire.send(pack("EVAL", text, len(keys), *keys))
        if overdue:
            with Wire(server.port, timeout=SOON_S) as wire:
                assert wait_until(lambda: is_busy(answer(wire, "PING"))), "the script is not overdue"

    def kill(self):
        with Wire(self.server.port, timeout=SOON_S) as wire:
            return answer(wire, "SCRIPT", "KILL")

    def runs(self):
        """Whether its end has not been told yet."""
        return not select.select([self.wire.sock], [], [], 0)[0]

    def end(self):
        """What the script has come to."""
        try:
            return self.wire.reply()
        except WireError as error:
            return str(error)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            with Wire(self.server.port, timeout=SOON_S) as wire:
                assert wait_until(lambda: answer(wire, "PING") == b"PONG"), "the server stays busy"
        self.wire.close()


def worker_of(wire):
    """The number of the worker that serves a connection."""
    return int(re.search(rb" io-thread=(\d+) ", wire.call("CLIENT", "INFO"))[1])


def by_worker(server):
    """Three connections or more at each of the two workers; all of them, by worker."""
    wires = {0: [], 1: []}
    while min(map(len, wires.values())) < 3:
        wire = Wire(server.port, timeout=SOON_S)
        wires[worker_of(wire)].append(wire)
        assert sum(map(len, wires.values())) < 100, "they are all on one worker"
    return wires


def is_busy(got):
    return isinstance(got, str) and got.startswith("BUSY")


def everywhere(server, *words):
    """What new connections are answered, on both workers."""
    wires = [Wire(server.port, timeout=SOON_S) for _ in range(CONNECTIONS)]
    try:
        got = []
        for wire in wires:
            wire.send(pack(*words))
        for wire in wires:
            value = wire.value()
            got.append(str(value) if isinstance(value, WireError) else value)
        return got
    except TimeoutError:
        raise AssertionError(f"{words}: no answer to one of {CONNECTIONS}, after {got}") from None
    finally:
        for wire in wires:
            wire.close()


def all_busy(server, *words):
    got = everywhere(server, *words)
    assert all(is_busy(one) for one in got), f"{words}: {got}"


def served(server):
    """Whether some write is served while a script holds one key; others may share its lock."""
    return any(b"OK" in everywhere(server, "SET", f"other:{n}", 1) for n in range(20))


def info(wire, name):
    text = wire.call("INFO", "everything").decode()
    return next(line.split(":", 1)[1] for line in text.splitlines() if line.startswith(name + ":"))


# ------------------------------------------------------------------ the main thread

def save_points():
    """A snapshot is due while a script runs: new clients are let in, and it is made afterwards."""
    with serve("--save", "1 1") as server, Wire(server.port) as wire:
        wire.call("SET", "x", 1)
        with Script(server, FOREVER) as script:
            time.sleep(2.5)
            all_busy(server, "PING")
            assert script.kill() == b"OK"
            assert "Script killed by user" in script.end()
        assert wait_until(lambda: info(wire, "rdb_changes_since_last_save") == "0"), "it is never saved"


def rewrites():
    """The same, of a rewrite of the log; the log itself goes on."""
    with serve("--appendonly", "yes", "--appendfsync", "always") as server, Wire(server.port) as wire:
        wire.call("SET", "x", 1)
        with Script(server, FOREVER, "k") as script:
            got = everywhere(server, "BGREWRITEAOF")
            assert b"Background append only file rewriting scheduled" in got, got
            all_busy(server, "PING")
            assert served(server), "no write is served beside it"
            assert script.kill() == b"OK"
        assert wait_until(lambda: int(info(wire, "aof_rewrites")) > 0), "it is never rewritten"


def sigterm():
    """A signal is followed when the script has ended."""
    with serve("--save", "3600 1000000") as server:
        with Wire(server.port) as wire:
            wire.call("SET", "x", 1)
        script = Script(server, FOREVER)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.alive(), "it ended under the script"
        all_busy(server, "PING")
        assert script.kill() == b"OK"
        assert server.process.wait(HANGS_S) == 0
        assert os.path.exists(os.path.join(server.dir, "dump.rdb")), "it was not saved"


def volatile_keys():
    """SHUTDOWN while the clock looks for keys that have expired."""
    with serve("--save", "3600 1") as server, Wire(server.port) as wire:
        for n in range(300):
            wire.call("SET", n, n, "EX", 1000)
        wire.call("CONFIG", "SET", "rdb-key-save-delay", 2000)
        wire.send(pack("SHUTDOWN"))
        assert server.process.wait(HANGS_S) == 0


# ------------------------------------------------------------------ the workers

def needs_all():
    """What needs the whole data set answers BUSY, on every worker, and so does what needs the key that a script holds."""
    with serve("--appendonly", "yes") as server:
        with Wire(server.port) as wire:
            wire.call("SET", "k", 1)
        with Script(server, FOREVER, "k") as script:
            for words in (("SAVE",), ("BGSAVE",), ("BGSAVE", "SCHEDULE"), ("SHUTDOWN",), ("DEBUG", "RELOAD"), ("KEYS", "*"),
                          ("DEBUG", "DIGEST"), ("DEBUG", "OBJECT", "k"), ("DEBUG", "DIGEST-VALUE", "k"),
                          ("DEBUG", "LOADAOF"), ("FLUSHALL",), ("GET", "k"), ("EVAL", "return redis.call('get', 'k')", 0)):
                all_busy(server, *words)
                all_busy(server, "PING")
            assert script.kill() == b"OK"
        with Wire(server.port) as wire:
            assert wire.call("KEYS", "*") == [b"k"]
            assert wire.call("SAVE") == b"OK"


def before_the_threshold():
    """Who saves waits for the script; the other clients of his worker do not."""
    with serve("--busy-reply-threshold", "60000") as server:
        wires = by_worker(server)
        script = Script(server, spin(8) + "return 'done'", overdue=False)
        time.sleep(0.2)
        saver, background, bystander = wires[1 - script.worker][:3]
        saver.send(pack("SAVE"))
        background.send(pack("BGSAVE"))
        for _ in range(20):
            assert bystander.call("PING") == b"PONG"
        assert script.runs(), "20 PINGs took as long as the script"
        assert script.end() == b"done"
        assert saver.reply() == b"OK"
        background.value()


def transactions():
    """A script under the write gate: EXEC with a command that walks over all keys."""
    with serve() as server, Wire(server.port) as wire:
        wire.send(pack("MULTI") + pack("KEYS", "*") + pack("EVAL", FOREVER, 0) + pack("EXEC"))
        with Wire(server.port, timeout=SOON_S) as other:
            assert wait_until(lambda: is_busy(answer(other, "PING"))), "the script is not overdue"
        all_busy(server, "PING")
        all_busy(server, "GET", "k")
        with Wire(server.port, timeout=SOON_S) as other:
            assert answer(other, "SCRIPT", "KILL") == b"OK"
        got = [wire.value() for _ in range(4)]
        assert "Script killed" in str(got[3][1]), got
        assert everywhere(server, "SET", "k", 1) == [b"OK"] * CONNECTIONS


def snapshot_under_way():
    """A script holds a shard that a snapshot has yet to walk over: workers do not wait there, nor does SHUTDOWN NOSAVE."""
    with serve() as server, Wire(server.port) as wire:
        for n in range(500):
            wire.call("SET", n, n)
        wire.call("CONFIG", "SET", "rdb-key-save-delay", 200_000)
        wire.call("BGSAVE")
        Script(server, spin(300), "1")
        time.sleep(1)
        all_busy(server, "PING")
        with Wire(server.port) as other:
            other.send(pack("SHUTDOWN", "NOSAVE"))
            server.process.wait(HANGS_S)


# ------------------------------------------------------------------ scripts among themselves

def meets_another():
    """A script meets what another holds that cannot be ended: BUSY, and the other runs on."""
    with serve() as server:
        with Script(server, "redis.call('set', KEYS[1], 1) " + spin(10) + "return 'done'", "k") as script:
            for text in ("return redis.call('get', 'k')", "return redis.pcall('set', 'k', 2)"):
                all_busy(server, "EVAL", text, 0)
            assert script.kill().startswith("UNKILLABLE"), script.kill()
            assert served(server), "nobody is served beside it"
            assert script.end() == b"done"
        with Wire(server.port) as wire:
            assert wire.call("GET", "k") == b"1"


def killed_while_it_waits():
    """A script that is ended while it waits for another says so."""
    with serve("--busy-reply-threshold", "0") as server:
        wires = by_worker(server)
        first = Script(server, spin(8) + "return 'done'", "k", overdue=False)
        time.sleep(0.2)
        second, killer = wires[1 - first.worker][:2]
        killer.call("CONFIG", "SET", "busy-reply-threshold", 100)
        second.send(pack("EVAL", "return redis.pcall('get', 'k')", 0))
        got = []
        assert wait_until(lambda: got.append(answer(killer, "SCRIPT", "KILL")) or got[-1] == b"OK"), got
        text = str(second.value())
        assert text.startswith("ERR Script killed by user with SCRIPT KILL."), text
        assert first.end() == b"done"


def leaves_a_queue():
    """What was put off until the script ends is done then: a client that waited for the key is gone."""
    with serve() as server:
        waiting = Wire(server.port)
        waiting.send(pack("BLPOP", "k", 0))
        with Wire(server.port) as wire:
            assert wait_until(lambda: info(wire, "blocked_clients") == "1")
        with Script(server, FOREVER, "k") as script:
            waiting.close()
            time.sleep(0.3)
            assert script.kill() == b"OK"
        assert sorted(everywhere(server, "LPUSH", "k", 1)) == list(range(1, CONNECTIONS + 1))
        with Wire(server.port, timeout=SOON_S) as wire:
            assert wire.call("LLEN", "k") == CONNECTIONS


# ------------------------------------------------------------------ the debugger

def session(server, mode, text, *keys):
    """A session at its first stop."""
    wire = Wire(server.port)
    assert wire.call("SCRIPT", "DEBUG", mode) == b"OK"
    stop = wire.call("EVAL", text, len(keys), *keys)
    assert stop[0] == b"* Stopped at 1, stop reason = step over", stop
    return wire


def end_of(wire, *words):
    """The lines of the last answer, the script's reply; the connection is closed behind it."""
    lines = wire.call(*words)
    assert lines[-1] == b"<endsession>", lines
    reply = wire.value()
    try:
        wire.line()
    except (EOFError, ConnectionError):
        return lines[:-1], reply
    raise AssertionError("the connection is open")


INCR_TWICE = "local a = redis.call('incr', KEYS[1])\nlocal b = redis.call('incr', KEYS[1])\nreturn b"


def debugged():
    """A script that is debugged: its changes are there at its end or not at all, and nobody waits meanwhile."""
    with serve() as server, Wire(server.port) as other:
        for mode, left in (("YES", b"5"), ("SYNC", b"7")):
            other.call("SET", "k", 5)
            wire = session(server, mode, INCR_TWICE, "k")
            assert wire.call("n")[:2] == [b"<redis> incr k", b"<reply> 6"]
            assert wire.call("n")[1] == b"<reply> 7"
            assert wire.call("p") == [b"<value> a = 6", b"<value> b = 7"]
            assert other.call("GET", "k") == b"5"
            assert everywhere(server, "PING") == [b"PONG"] * CONNECTIONS
            assert end_of(wire, "c") == ([], 7)
            assert other.call("GET", "k") == left


def debugged_while_data_change():
    """What others change between two words of a session is seen by the next one; keys of all kinds are put back."""
    with serve() as server, Wire(server.port) as other:
        wire = session(server, "SYNC", INCR_TWICE, "k")
        wire.call("b", "3")
        assert wire.call("c")[0].startswith(b"* Stopped at 3")
        other.call("SET", "k", 10)
        assert wire.call("p", "b") == [b"<value> 12"]
        assert wire.call("r", "get", "k")[1] == b'<reply> "12"'
        assert other.call("GET", "k") == b"10"
        assert end_of(wire, "c") == ([], 12)
        assert other.call("GET", "k") == b"12"
        other.call("SET", "long", "x" * 100000)
        other.call("RPUSH", "list", *range(1000))
        other.call("HSET", "hash", *range(1000))
        before = [other.call("GET", "long"), other.call("LRANGE", "list", 0, -1), other.call("HLEN", "hash")]
        text = ("redis.call('append', 'long', 'y') redis.call('lpop', 'list', 500) redis.call('del', 'hash')\n"
                "redis.call('set', 'new', 1) redis.call('rename', 'list', 'moved')\nreturn 1")
        wire = session(server, "YES", text)
        for _ in range(2):
            wire.call("n")
            after = [other.call("GET", "long"), other.call("LRANGE", "list", 0, -1), other.call("HLEN", "hash")]
            assert after == before and other.call("EXISTS", "new", "moved") == 0
        refused = wire.call("r", "flushall")
        assert b"may not change all keys" in refused[1], refused
        assert end_of(wire, "c") == ([], 1)
        assert [other.call("GET", "long"), other.call("LRANGE", "list", 0, -1), other.call("HLEN", "hash")] == before


def debugged_to_its_end():
    """The ends of a session: abort, an error, SCRIPT KILL, a lost connection, too many words."""
    with serve() as server, Wire(server.port) as other:
        for mode, left in (("YES", None), ("SYNC", b"1")):
            other.call("DEL", "k")
            wire = session(server, mode, INCR_TWICE, "k")
            wire.call("n")
            lines, reply = end_of(wire, "a")
            assert lines == [] and "aborted" in str(reply), (lines, reply)
            assert other.call("GET", "k") == left
        other.call("DEL", "k")
        wire = session(server, "SYNC", "redis.call('incr', KEYS[1])\nerror('boom')", "k")
        assert "boom" in str(end_of(wire, "c")[1]) and other.call("GET", "k") == b"1"
        wire = session(server, "SYNC", "redis.call('incr', KEYS[1])\nwhile true do end", "k")
        wire.send(pack("c"))
        with Wire(server.port, timeout=SOON_S) as killer:
            assert wait_until(lambda: answer(killer, "SCRIPT", "KILL") == b"OK"), "the run is not ended"
        assert wire.reply() == [b"<endsession>"] and "Script killed" in str(wire.value())
        assert other.call("GET", "k") == b"1"
        session(server, "SYNC", INCR_TWICE, "k").close()
        wire = session(server, "YES", "return 1")
        wire.send(pack("l") * 3 + pack("c"))
        assert [len(wire.reply()) for _ in range(3)] == [1, 1, 1]
        assert wire.reply() == [b"<endsession>"] and wire.reply() == 1
        wire = session(server, "YES", "return 1")
        lines, reply = end_of(wire, "e", "x" * (1 << 20))
        assert lines == [] and "too many commands" in str(reply), (lines, reply)
        assert other.call("PING") == b"PONG"


def debugged_where_it_cannot_be():
    """Where no session begins: pipelines, transactions, EVALSHA, FCALL, text that does not compile."""
    with serve() as server, Wire(server.port) as wire:
        wire.send(pack("PING") + pack("SCRIPT", "DEBUG", "YES"))
        assert wire.reply() == b"PONG" and "outside a pipeline" in str(wire.value())
        wire.call("MULTI")
        wire.call("SCRIPT", "DEBUG", "YES")
        assert "outside a pipeline" in str(wire.call("EXEC"))
        wire.call("SCRIPT", "DEBUG", "YES")
        wire.call("MULTI")
        wire.call("EVAL", "return 1", 0)
        assert "within a transaction" in str(wire.call("EXEC"))
        assert "use EVAL" in answer(wire, "EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", 0)
        wire.call("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 7 end)")
        assert wire.call("FCALL", "f", 0) == 7
        lines, reply = end_of(wire, "EVAL", "return )", 0)
        assert lines == [] and "Error compiling" in str(reply)
        with Wire(server.port) as other:
            assert other.call("SCRIPT", "DEBUG", "YES") == b"OK" and other.call("RESET") == b"RESET"
            assert other.call("EVAL", "return 1", 0) == 1


# ------------------------------------------------------------------ jobs

def job_runs_for_too_long():
    """A job's script that does not end is one like any other: others are told, SCRIPT KILL ends it, and the log has it."""
    with serve("--hz", "100") as server, Wire(server.port, timeout=SOON_S) as wire:
        wire.call("KEYDB.CRON", "job", "repeat", 0, 3_600_000, FOREVER, 1, "k")
        assert wait_until(lambda: is_busy(answer(wire, "GET", "k"))), "the job is not overdue"
        assert served(server), "no write is served beside it"
        with Wire(server.port, timeout=SOON_S) as other:
            assert answer(other, "SCRIPT", "KILL") == b"OK"
        assert wait_until(lambda: answer(wire, "PING") == b"PONG"), "the server stays busy"
        assert wait_until(lambda: "The job job of database 0 failed: ERR Error running script" in server.log()
                          or "Script killed by user" in server.log()), server.log()[-500:]
        # That was its run.
        time.sleep(0.3)
        assert wire.call("SET", "k", 1) == b"OK" and wire.call("EXISTS", "job") == 1


def jobs_and_crashes():
    """Jobs that run once run once, whenever the server is killed; one that repeats is told with what it did."""
    many, step_ms, kills = 400, 5, 4
    count = "redis.call('incr', KEYS[1]) redis.call('rpush', KEYS[2], ARGV[1])"
    with serve("--appendonly", "yes", "--appendfsync", "always", "--hz", "100") as server:
        with Wire(server.port) as wire:
            begin_ms = int(time.time() * 1000) + 200
            for at in range(many):
                wire.call("KEYDB.CRON", f"job:{at}", "single", begin_ms, 1 + at * step_ms, count, 2, f"c:{at}", "all", at)
            wire.call("KEYDB.CRON", "again", "repeat", begin_ms, 1, count, 2, "runs", "told", "x")
        runs = 0
        for kill in range(kills):
            time.sleep(0.2 + many * step_ms / 1000 / kills)
            with Wire(server.port) as wire:
                runs = max(runs, int(wire.call("GET", "runs")))
            server.process.kill()
            server.process.wait()
            server.start()
            with Wire(server.port) as wire:
                wire.send(pack("MULTI") + pack("GET", "runs") + pack("LLEN", "told") + pack("EXEC"))
                *_, (now, told) = (wire.reply() for _ in range(4))
                assert runs <= int(now) == told, (runs, now, told)
        with Wire(server.port) as wire:
            assert wait_until(lambda: wire.call("LLEN", "all") >= many), wire.call("LLEN", "all")
            time.sleep(0.2)
            assert wire.call("MGET", *(f"c:{at}" for at in range(many))) == [b"1"] * many
            assert sorted(map(int, wire.call("LRANGE", "all", 0, -1))) == list(range(many))
            assert wire.call("EXISTS", *(f"job:{at}" for at in range(many))) == 0


PARTS = {
    "save-points": save_points,
    "rewrites": rewrites,
    "sigterm": sigterm,
    "volatile-keys": volatile_keys,
    "needs-all": needs_all,
    "before-the-threshold": before_the_threshold,
    "transactions": transactions,
    "snapshot-under-way": snapshot_under_way,
    "meets-another": meets_another,
    "killed-while-it-waits": killed_while_it_waits,
    "leaves-a-queue": leaves_a_queue,
    "debugged": debugged,
    "debugged-while-data-change": debugged_while_data_change,
    "debugged-to-its-end": debugged_to_its_end,
    "debugged-where-it-cannot-be": debugged_where_it_cannot_be,
    "job-runs-for-too-long": job_runs_for_too_long,
    "jobs-and-crashes": jobs_and_crashes,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default=None)
    parser.add_argument("--only", default=",".join(PARTS))
    given = parser.parse_args()
    OPT.server = server_command(given.server)
    tally = Tally()
    for name in given.only.split(","):
        tally.run(f"{name}: {PARTS[name].__doc__.split(':')[0].strip()}", PARTS[name])
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
