#!/usr/bin/env python3
"""Snapshot files between this server and real ones: what a peer saves is loaded here, what this server saves of it is
loaded at every peer that knows its values, and each time the data must be equal.

usage: rdb_files.py [--server 'COMMAND with {port} and {dir}'] [--peer NAME=PATH ...] [--rounds N] [--seed N]
                    [--write-samples] [--no-peers]

Data sets hold all types and encodings, several databases, keys and fields that expire, idle times, and libraries of
functions where this server runs them. Small files that the peers made lie in tests/rdb/ with what is in them, so that no
peer is needed to see that they are still read; --write-samples makes them anew. Standard library only.
"""
import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time

import dumps
from harness import HANGS_S, ROOT, Server, Tally, Wire, WireError, server_command, wait_until

OPT = argparse.Namespace()
SAMPLES = os.path.join(ROOT, "tests", "rdb")
#: Commands that only some know end a key's making, not the test.
FLAGS = ("--save", "", "--enable-debug-command", "yes", "--appendonly", "no", "--rdbcompression", "yes")
#: Which of our forms each peer loads, and whether with fields that expire.
READS = {
    "redis70": ("redis-7.0", False),
    "redis72": ("common", False),
    "redis": ("common", True),
    "valkey": ("common", False),
    "valkey9": ("valkey-9.0", True),
}
PEERS = dumps.PEERS | {"redis70": f"{dumps.CACHE}/redis70/redis-server"}
FUNCTION = b"#!lua name=lib\nredis.register_function('answer', function() return 42 end)\n"
FAR_MS = 4_000_000_000_000


def fill(wire, rng, field_ttls, keys=12):
    """Makes keys of every kind in three databases; what the server does not know is left out."""
    for db in (0, 1, 15):
        wire.call("SELECT", str(db))
        for maker in dumps.MAKERS:
            if maker is dumps.field_ttls and not field_ttls:
                continue
            for number in range(1 if maker is dumps.field_ttls else max(1, keys // 6)):
                for name, value in rng.choice(dumps.THRESHOLDS).items():
                    if name in dumps.DEFAULTS["any"]:
                        wire.call("CONFIG", "SET", name, value)
                if not dumps.make(wire, maker(random.Random(rng.getrandbits(64)))):
                    continue
                key = f"{maker.__name__}:{number}"
                wire.call("RENAME", "key", key)
                if rng.randrange(3) == 0:
                    wire.call("PEXPIREAT", key, str(FAR_MS + rng.getrandbits(20)))
    wire.call("SELECT", "0")
    for name, value in dumps.DEFAULTS["any"].items():
        wire.call("CONFIG", "SET", name, value)


def functions(wire):
    """Sources of libraries; None where there are no functions."""
    try:
        listed = wire.call("FUNCTION", "LIST", "WITHCODE")
    except WireError:
        return None
    return sorted(dict(zip(one[::2], one[1::2]))[b"library_code"] for one in listed)


def content(wire):
    """What tells two data sets apart: digests of values, expiries, fields with their expiries, streams' groups."""
    found = {}
    databases = [line.split(":")[0][2:] for line in info(wire, "keyspace") if line.startswith("db")]
    for db in databases:
        wire.call("SELECT", db)
        for key in sorted(wire.call("KEYS", "*")):
            one = [wire.call("TYPE", key).decode(), wire.call("PEXPIRETIME", key)]
            kind, timed = one[0], None
            if kind == "hash":
                timed = hash_fields(wire, key)
            # The digest of Valkey 9 leaves the expiries of fields out, that of others has them.
            if timed and any(ttl != -1 for *_, ttl in timed):
                digest = None
            elif kind == "zset":
                digest = scores(wire, key)
            else:
                digest = wire.call("DEBUG", "DIGEST-VALUE", key)[0].decode()
            found[f"{db} {key.decode('latin-1')}"] = one + [digest, timed]
    wire.call("SELECT", "0")
    return found


def scores(wire, key):
    """A digest of a sorted set. That of Redis 7.0 is of other decimals of the same scores."""
    flat = wire.call("ZRANGE", key, "0", "-1", "WITHSCORES")
    rows = [member.hex() + " " + float(score).hex() for member, score in zip(flat[::2], flat[1::2])]
    return hashlib.sha1("\n".join(rows).encode()).hexdigest()


def hash_fields(wire, key):
    flat = wire.call("HGETALL", key)
    names = flat[::2]
    try:
        ttls = wire.call("HPEXPIRETIME", key, "FIELDS", str(len(names)), *names)
    except WireError:
        return None
    text = lambda word: word.decode("latin-1")
    rows = sorted([text(name), text(value), ttl] for name, value, ttl in zip(names, flat[1::2], ttls))
    return rows if any(ttl != -1 for *_, ttl in rows) else None


def info(wire, section):
    return wire.call("INFO", section).decode().splitlines()


def equal(what, got, expected):
    for key in sorted(got.keys() | expected.keys()):
        if got.get(key) != expected.get(key):
            raise AssertionError(f"{what}: {key}: {str(got.get(key))[:300]} for {str(expected.get(key))[:300]}")


def load(template, path, *flags):
    """A server that has loaded a copy of the file."""
    server = Server(template, *FLAGS, *flags, start=False)
    shutil.copy(path, os.path.join(server.dir, "dump.rdb"))
    server.start()
    return server


def has_field_ttls(found):
    return any(one[3] for one in found.values())


def to_peers(what, ours, expected, paths, form_of):
    """Our file, in the form that each peer reads, loaded there."""
    loaded = []
    for name, path in paths.items():
        form, field_ttls = READS[name]
        if has_field_ttls(expected) and not field_ttls:
            continue
        wire = Wire(ours.port)
        wire.call("CONFIG", "SET", "rdb-format", form_of or form)
        wire.call("SAVE")
        wire.call("CONFIG", "SET", "rdb-format", "common")
        dump = os.path.join(ours.dir, "dump.rdb")
        checker = os.path.join(os.path.dirname(path), f"{'valkey' if 'valkey' in name else 'redis'}-check-rdb")
        if os.path.exists(checker):
            subprocess.run([checker, dump], check=True, stdout=subprocess.DEVNULL)
        with load(f"{path} --port {{port}} --dir {{dir}}", dump) as peer:
            equal(f"{what}, ours at {name}", content(Wire(peer.port)), expected)
        loaded.append(name)
    return loaded


def exchange(origin, paths, rng, field_ttls):
    """Data sets made at a peer, loaded here, and from here at all peers."""
    keys, loaded = 0, set()
    for number in range(OPT.rounds):
        seed = rng.getrandbits(64)
        what = f"{origin}, round {number}, seed {seed}"
        policy = random.Random(seed).choice(("noeviction", "allkeys-lru", "allkeys-lfu"))
        with Server(f"{paths[origin]} --port {{port}} --dir {{dir}}", *FLAGS, "--maxmemory-policy", policy) as peer:
            wire = Wire(peer.port)
            dumps.DEFAULTS["any"] = dumps.defaults(wire)
            fill(wire, random.Random(seed), field_ttls)
            expected = content(wire)
            wire.call("SAVE")
            file = os.path.join(peer.dir, "dump.rdb")
            checked = subprocess.run([*check_tool(), file], capture_output=True, text=True)
            if checked.returncode != 0 or "RDB looks OK!" not in checked.stdout:
                raise AssertionError(f"{what}: check-rdb says {checked.stdout[-500:]}")
            with load(OPT.server, file) as ours:
                ours_wire = Wire(ours.port)
                equal(f"{what}, here", content(ours_wire), expected)
                ours_wire.call("DEBUG", "RELOAD")
                equal(f"{what}, here after a reload", content(ours_wire), expected)
                loaded.update(to_peers(what, ours, expected, paths, None))
            keys += len(expected)
    return f"{keys} keys, on to {' '.join(sorted(loaded))}"


def check_tool():
    """The tool beside the server under test."""
    words = OPT.server.split()
    binary = words[0] if os.path.isabs(words[0]) else os.path.join(ROOT, words[0])
    return [binary, "check-rdb"]


def libraries(origin, paths):
    """A library of functions there and back."""
    with Server(f"{paths[origin]} --port {{port}} --dir {{dir}}", *FLAGS) as peer:
        wire = Wire(peer.port)
        wire.call("FUNCTION", "LOAD", FUNCTION)
        wire.call("SET", "key", "value")
        wire.call("SAVE")
        with load(OPT.server, os.path.join(peer.dir, "dump.rdb")) as ours:
            ours_wire = Wire(ours.port)
            assert functions(ours_wire) == [FUNCTION], functions(ours_wire)
            assert ours_wire.call("FCALL", "answer", "0") == 42
            ours_wire.call("CONFIG", "SET", "rdb-format", READS[origin][0])
            ours_wire.call("SAVE")
            with load(f"{paths[origin]} --port {{port}} --dir {{dir}}", os.path.join(ours.dir, "dump.rdb")) as again:
                assert Wire(again.port).call("FCALL", "answer", "0") == 42
    return "one library"


def runs_functions():
    with Server(OPT.server, *FLAGS) as ours:
        return functions(Wire(ours.port)) is not None


def samples():
    """The files of tests/rdb, with the content that was noted when they were made."""
    names = sorted(name for name in os.listdir(SAMPLES) if name.endswith(".rdb"))
    assert names, "no samples"
    for name in names:
        with open(os.path.join(SAMPLES, name[:-4] + ".json")) as file:
            expected = json.load(file)
        path = os.path.join(SAMPLES, name)
        with load(OPT.server, path) as ours:
            wire = Wire(ours.port)
            equal(name, content(wire), expected)
            wire.call("DEBUG", "RELOAD")
            equal(f"{name} after a reload", content(wire), expected)
    return " ".join(names)


def write_samples(paths):
    os.makedirs(SAMPLES, exist_ok=True)
    for name, path in paths.items():
        with Server(f"{path} --port {{port}} --dir {{dir}}", *FLAGS) as peer:
            wire = Wire(peer.port)
            dumps.DEFAULTS["any"] = dumps.defaults(wire)
            # Small ones: their purpose is to hold all forms.
            dumps.count = lambda rng: rng.choice((1, 2, 5, 20, 130))
            dumps.MAKERS = tuple(maker for maker in dumps.MAKERS if maker is not dumps.strings)
            for seed in range(20):
                wire.call("FLUSHALL")
                fill(wire, random.Random(seed), READS[name][1], 6)
                wire.call("SAVE")
                if os.path.getsize(os.path.join(peer.dir, "dump.rdb")) < 100_000:
                    break
            shutil.copy(os.path.join(peer.dir, "dump.rdb"), os.path.join(SAMPLES, f"{name}.rdb"))
            with open(os.path.join(SAMPLES, f"{name}.json"), "w") as file:
                json.dump(content(wire), file, indent=0, sort_keys=True)
                file.write("\n")


def broken():
    """Files that must not be loaded: exit status 1, the reason in the log, the file as it was."""
    names = sorted(name for name in os.listdir(SAMPLES) if name.endswith(".rdb"))
    with open(os.path.join(SAMPLES, names[0]), "rb") as file:
        good = file.read()
    cases = {
        "empty": (b"", "unexpected end"),
        "truncated": (good[:-20], "at offset"),
        "cut in the head": (good[:5], "unexpected end"),
        "foreign": (b"\x7fELF" + good[4:], "Wrong signature"),
        "newer": (b"REDIS0099" + good[9:], "Can't handle RDB format version 99"),
        "flipped": (good[:-100] + bytes([good[-100] ^ 1]) + good[-99:], "at offset"),
        "checksum": (good[:-1] + bytes([good[-1] ^ 1]), "CRC error"),
    }
    for what, (data, reason) in cases.items():
        server = Server(OPT.server, *FLAGS, start=False)
        try:
            path = os.path.join(server.dir, "dump.rdb")
            with open(path, "wb") as file:
                file.write(data)
            log = open(server.log_path, "wb")
            status = subprocess.run(server.argv, cwd=server.dir, stdout=log, stderr=log, timeout=HANGS_S).returncode
            assert status == 1, f"{what}: exit status {status}"
            last = server.log().strip().splitlines()[-1]
            assert "dump.rdb" in last and "offset" in last and reason in last, f"{what}: {last}"
            with open(path, "rb") as file:
                assert file.read() == data, f"{what}: the file has changed"
            checked = subprocess.run([*check_tool(), path], capture_output=True, text=True)
            assert checked.returncode == 1 and "--- RDB ERROR DETECTED ---" in checked.stdout, f"{what}: check-rdb"
        finally:
            server.stop()
            shutil.rmtree(server.dir, ignore_errors=True)
    return f"{len(cases)} files"


def unfinished(server):
    """Files that are being written."""
    return [name for name in os.listdir(server.dir) if name.startswith("temp-")]


def few_and_many_threads():
    """A file is loaded whole by a server of any number of threads, at the start and by DEBUG RELOAD, also one of many batches."""
    with Server(OPT.server, *FLAGS) as server:
        for keys in (1, 20_000):
            with Wire(server.port) as wire:
                wire.call("FLUSHALL")
                wire.call("DEBUG", "POPULATE", str(keys), "key", "100")
                wire.call("SAVE")
            for threads in ("1", "2", "5"):
                with load(OPT.server, os.path.join(server.dir, "dump.rdb"), "--io-threads", threads) as other:
                    with Wire(other.port) as wire:
                        assert wire.call("DBSIZE") == keys, f"{threads} threads: {wire.call('DBSIZE')} of {keys} keys"
                        wire.call("DEBUG", "RELOAD")
                        assert wire.call("DBSIZE") == keys, f"{threads} threads: {wire.call('DBSIZE')} of {keys} keys"


def killed_while_saving():
    """kill -9 in a snapshot: the old file is whole, the unfinished one goes at the next start."""
    server = Server(OPT.server, *FLAGS)
    try:
        wire = Wire(server.port)
        wire.call("DEBUG", "POPULATE", "20000")
        wire.call("SAVE")
        wire.call("DEBUG", "POPULATE", "40000")
        wire.call("CONFIG", "SET", "rdb-key-save-delay", "1000")
        wire.call("BGSAVE")
        assert wait_until(lambda: unfinished(server)), "nothing is being written"
        left = unfinished(server)
        server.process.kill()
        server.process.wait()
        server.start()
        assert Wire(server.port).call("DBSIZE") == 20000
        assert not unfinished(server)
    finally:
        server.stop()
        shutil.rmtree(server.dir, ignore_errors=True)
    return left[0]


def reload_while_loading():
    """DEBUG RELOAD and LOADAOF are refused while the server loads: what is there so far is not saved over the whole."""
    server = Server(OPT.server, *FLAGS)
    try:
        with Wire(server.port) as wire:
            wire.call("DEBUG", "POPULATE", "3000")
            wire.call("SAVE")
        path = os.path.join(server.dir, "dump.rdb")
        size = os.path.getsize(path)
        server.process.kill()
        server.process.wait()
        server.argv += ["--key-load-delay", "100000"]
        process = subprocess.Popen(server.argv, cwd=server.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        server.process = process

        def refuses():
            try:
                with Wire(server.port) as wire:
                    for words in (["RELOAD"], ["RELOAD", "NOSAVE"], ["LOADAOF"]):
                        try:
                            raise AssertionError(f"{words}: {wire.call('DEBUG', *words)}")
                        except WireError as error:
                            assert str(error).startswith("LOADING"), f"{words}: {error}"
                return True
            except OSError:
                return False

        assert wait_until(refuses), "it does not start"
        assert os.path.getsize(path) == size, "the file was written over"
    finally:
        server.process.kill()
        server.process.wait()
        shutil.rmtree(server.dir, ignore_errors=True)


def dir_changed_while_saving():
    """CONFIG SET dir in a snapshot: the file is finished where it was begun, and the next one is made in the new folder."""
    with Server(OPT.server, *FLAGS, "--enable-protected-configs", "yes", "--rdb-key-save-delay", "100000") as server:
        other = os.path.join(server.dir, "other")
        os.mkdir(other)
        with Wire(server.port) as wire:
            wire.call("DEBUG", "POPULATE", "500")
            wire.call("BGSAVE")
            assert wait_until(lambda: unfinished(server)), "nothing is being written"
            wire.call("CONFIG", "SET", "dir", other)
            assert "rdb_bgsave_in_progress:1" in info(wire, "persistence"), "it was too quick"
            wire.call("CONFIG", "SET", "rdb-key-save-delay", "0")
            assert wait_until(lambda: "rdb_bgsave_in_progress:0" in info(wire, "persistence"))
            assert "rdb_last_bgsave_status:ok" in info(wire, "persistence")
            assert os.path.exists(os.path.join(server.dir, "dump.rdb"))
            assert not unfinished(server)
            assert os.listdir(other) == []
            wire.call("SAVE")
            assert os.listdir(other) == ["dump.rdb"]


def own_forms():
    """Members that expire of sets and sorted sets have forms of their own: they outlive a restart and DEBUG RELOAD."""
    def expiries(wire):
        members = ("MEMBERS", "3", "member:0", "member:499", "stays")
        return wire.call("SEXPIRETIME", "set", *members) + wire.call("ZPEXPIRETIME", "zset", *members)

    server = Server(OPT.server, *FLAGS)
    try:
        wire = Wire(server.port)
        wire.call("SADDEX", "set", "100000", *(f"member:{n}" for n in range(500)))
        wire.call("SADD", "set", "stays")
        wire.call("ZADD", "zset", *(word for n in range(500) for word in (str(n), f"member:{n}")), "7", "stays")
        for n in range(500):
            wire.call("ZPEXPIRE", "zset", str(100000000 + n), "MEMBERS", "1", f"member:{n}")
        times = expiries(wire)
        assert times[0] > time.time() and times[2] == -1 and times[5] == -1, times
        assert times[4] >= times[3] + 499, times
        wire.call("DEBUG", "RELOAD")
        assert expiries(wire) == times, "after a reload"
        wire.call("SAVE")
        checked = subprocess.run([*check_tool(), os.path.join(server.dir, "dump.rdb")], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
        server.stop()
        server.start()
        wire = Wire(server.port)
        assert expiries(wire) == times, "after a restart"
        assert wire.call("SCARD", "set") == 501 and wire.call("ZCARD", "zset") == 501
        assert wire.call("ZRANGE", "zset", "7", "9") == [b"member:7", b"stays", b"member:8"]
    finally:
        server.stop()
        shutil.rmtree(server.dir, ignore_errors=True)


def save_and_others():
    """SAVE: its client waits, and what it has sent behind; others of the same worker do not."""
    with Server(OPT.server, *FLAGS, "--io-threads", "1", "--enable-protected-configs", "yes") as server:
        saver, other = Wire(server.port), Wire(server.port)
        saver.call("DEBUG", "POPULATE", "1000")
        saver.call("CONFIG", "SET", "rdb-key-save-delay", "100000")
        begun = time.monotonic()
        saver.send(b"SAVE\r\nSET behind 1\r\n")
        assert wait_until(lambda: unfinished(server)), "nothing is being written"
        worst = 0
        for _ in range(50):
            sent = time.monotonic()
            other.call("SET", "meanwhile", "1")
            worst = max(worst, time.monotonic() - sent)
            assert not other.call("EXISTS", "behind"), "what is sent behind SAVE is executed before its end"
            try:
                other.call("SAVE")
                raise AssertionError("two at a time")
            except WireError as error:
                assert "in progress" in str(error), error
        assert unfinished(server), "the others waited for SAVE"
        other.call("CONFIG", "SET", "rdb-key-save-delay", "0")
        assert wait_until(lambda: other.call("EXISTS", "behind"))
        took = time.monotonic() - begun
        assert saver.reply() == b"OK" and saver.reply() == b"OK"
        assert os.path.exists(os.path.join(server.dir, "dump.rdb"))
        cut = dict(line.split(":", 1) for line in info(other, "persistence") if ":" in line)["rdb_last_cut_usec"]
        assert 0 < int(cut) < 1_000_000 * took, cut
        # Where it cannot be written the client is told.
        other.call("CONFIG", "SET", "rdb-key-save-delay", "0")
        os.mkdir(os.path.join(server.dir, "folder"))
        other.call("CONFIG", "SET", "dbfilename", "folder")
        try:
            saver.call("SAVE")
            raise AssertionError("SAVE replaced a folder")
        except WireError:
            pass
        assert saver.call("PING") == b"PONG"
        # A client that is killed meanwhile: the file is made all the same.
        other.call("CONFIG", "SET", "rdb-key-save-delay", "100000")
        other.call("CONFIG", "SET", "dbfilename", "second.rdb")
        number = saver.call("CLIENT", "ID")
        saver.send(b"SAVE\r\n")
        assert wait_until(lambda: unfinished(server)), "nothing is being written"
        other.call("CLIENT", "KILL", "ID", str(number))
        other.call("CONFIG", "SET", "rdb-key-save-delay", "0")
        assert wait_until(lambda: os.path.exists(os.path.join(server.dir, "second.rdb"))), "no file"
    return f"{took:.1f} s, others at most {worst * 1000:.0f} ms, the cut {cut} us"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="the server's command line, with {port} and {dir}")
    parser.add_argument("--peer", action="append", help="NAME=PATH of a peer; by default those in ~/.cache/peers")
    parser.add_argument("--rounds", type=int, default=3, help="data sets from each peer")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    parser.add_argument("--write-samples", action="store_true", help="make the files of tests/rdb anew")
    parser.add_argument("--no-peers", action="store_true", help="only what needs no peer")
    parser.parse_args(namespace=OPT)
    OPT.server = server_command(OPT.server)
    paths = dict(peer.split("=", 1) for peer in OPT.peer) if OPT.peer else PEERS
    paths = {name: path for name, path in paths.items() if os.path.exists(path) and not OPT.no_peers}
    if OPT.write_samples:
        return write_samples(paths)
    print(f"seed {OPT.seed}, peers {' '.join(paths)}")
    rng = random.Random(OPT.seed)
    tally = Tally()
    tally.run("samples", samples)
    tally.run("broken files", broken)
    tally.run("few and many threads", few_and_many_threads)
    tally.run("killed while saving", killed_while_saving)
    tally.run("DEBUG RELOAD while it loads", reload_while_loading)
    tally.run("CONFIG SET dir while saving", dir_changed_while_saving)
    tally.run("SAVE beside other clients", save_and_others)
    tally.run("members that expire", own_forms)
    with_functions = runs_functions()
    for origin in paths:
        tally.run(f"files of {origin}", exchange, origin, paths, rng, False)
        if READS[origin][1]:
            tally.run(f"files of {origin} with fields that expire", exchange, origin, paths, rng, True)
        if with_functions:
            tally.run(f"functions of {origin}", libraries, origin, paths)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
