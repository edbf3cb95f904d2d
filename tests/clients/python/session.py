"""A session of redis-py: its default handshake, then RESP2 and RESP3 by name, over everything that exists so far.

usage: session.py PORT UNIX_SOCKET
"""
import os
import sys
import time

import redis

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from harness import Tally, wait_until  # noqa: E402

PORT, UNIX = int(sys.argv[1]), sys.argv[2]
BINARY = bytes(range(256)) * 3 + b"\r\n$5\r\n\x00"


def refused(kind, part, call, *args, **options):
    """Asserts that a call ends in an error of this class whose text holds `part`."""
    try:
        got = call(*args, **options)
    except kind as error:
        assert part in str(error), f"{error!r} does not mention {part!r}"
    else:
        raise AssertionError(f"no error but {got!r}")


def text(value):
    """The client's RESP2 and RESP3 callbacks disagree on bytes against str."""
    return value.decode() if isinstance(value, bytes) else value


def strings(r):
    assert r.set("s", "one") is True
    assert r.get("s") == b"one" and r.get("none") is None
    assert r.set("s", "two", nx=True) is None and r.set("s2", "x", xx=True) is None
    assert r.set("s", "three", get=True) == b"one"
    assert r.append("s", "!") == 6 and r.strlen("s") == 6
    assert r.getrange("s", 0, -2) == b"three" and r.setrange("s", 5, "?") == 6
    assert r.getdel("s") == b"three?" and r.exists("s") == 0
    assert r.setnx("n", 10) is True and r.setnx("n", 11) is False
    assert r.incr("n") == 11 and r.incrby("n", 9) == 20 and r.decr("n") == 19 and r.decrby("n", 20) == -1
    assert r.incrbyfloat("f", 1.5) == 1.5 and r.incrbyfloat("f", -0.25) == 1.25
    assert r.mset({"a": 1, "b": b"2", "c": "drei"}) is True
    assert r.mget("a", "none", "c") == [b"1", None, b"drei"]
    assert r.msetnx({"a": 9, "z": 9}) is False and r.exists("z") == 0


def keys(r):
    r.mset({f"k{i}": i for i in range(10)})
    assert r.dbsize() == 10 and sorted(r.keys("k[0-3]")) == [b"k0", b"k1", b"k2", b"k3"]
    assert r.exists("k1", "k1", "none") == 2 and r.touch("k1", "none") == 1
    assert r.type("k1") == b"string" and r.type("none") == b"none"
    assert r.rename("k1", "r1") is True and r.get("r1") == b"1"
    assert r.renamenx("k2", "k3") is False
    assert r.copy("k4", "c4") is True and r.copy("k4", "c4") is False and r.copy("k5", "c4", replace=True) is True
    assert r.get("c4") == b"5"
    assert r.randomkey() is not None
    assert r.delete("k4", "none") == 1 and r.unlink("k5", "k6") == 2
    assert r.object("encoding", "k7") == b"int"
    r.set("long", "x" * 100), r.set("short", "x" * 10)
    assert r.object("encoding", "long") == b"raw" and r.object("encoding", "short") == b"embstr"
    refused(redis.ResponseError, "no such key", r.rename, "none", "other")


def expiry(r):
    assert r.set("e", "v", ex=100) and 60 < r.ttl("e") <= 100
    assert r.set("p", "v", px=100_000) and 60_000 < r.pttl("p") <= 100_000
    assert r.set("p", "w", keepttl=True) and r.ttl("p") > 60
    assert r.ttl("none") == -2 and r.set("forever", 1) and r.ttl("forever") == -1
    assert r.expire("e", 50, gt=True) is False and r.expire("e", 500, gt=True) is True
    assert r.expire("e", 400, lt=True) is True and r.expire("e", 9, nx=True) is False
    assert r.persist("e") is True and r.ttl("e") == -1
    at = int(time.time()) + 1000
    assert r.expireat("e", at) is True and r.expiretime("e") == at and r.pexpiretime("e") == at * 1000
    assert r.getex("e", persist=True) == b"v" and r.ttl("e") == -1
    assert r.getex("e", ex=777) == b"v" and 700 < r.ttl("e") <= 777
    assert r.pexpire("e", 30) is True
    assert wait_until(lambda: r.get("e") is None), "a key outlived its TTL"
    assert r.expire("forever", -1) is True and r.exists("forever") == 0
    refused(redis.ResponseError, "invalid expire time", r.set, "e", "v", ex=0)


def scan(r):
    with r.pipeline(transaction=False) as pipe:
        for i in range(5000):
            pipe.set(f"scan:{i}", i)
        pipe.execute()
    assert {k for k in r.scan_iter(match="scan:*", count=100)} == {b"scan:%d" % i for i in range(5000)}
    assert {k for k in r.scan_iter(match="scan:1?", count=1000)} == {b"scan:1%d" % i for i in range(10)}
    assert len(list(r.scan_iter(_type="string", count=500))) >= 5000
    assert list(r.scan_iter(_type="hash", count=5000)) == []


def pipelines(r):
    pipe = r.pipeline(transaction=False)
    for i in range(10_000):
        pipe.set(f"p{i}", i).get(f"p{i}")
    got = pipe.execute()
    assert got == [x for i in range(10_000) for x in (True, b"%d" % i)]
    pipe.set("word", "x").incr("word").get("word")
    got = pipe.execute(raise_on_error=False)
    assert isinstance(got[1], redis.ResponseError) and "not an integer" in str(got[1]) and got[2] == b"x"


def binary(r):
    assert r.set(BINARY, BINARY) and r.get(BINARY) == BINARY
    assert r.set(b"", b"") and r.get(b"") == b"" and r.exists(b"") == 1
    assert BINARY in r.keys("*") and r.strlen(BINARY) == len(BINARY)


def large(r):
    value = os.urandom(1 << 20) * 10
    assert r.set("large", value) and r.strlen("large") == len(value)
    assert r.get("large") == value
    assert r.append("large", value) == 2 * len(value) and r.getrange("large", -5, -1) == value[-5:]
    assert r.mget("large", "none")[0] == value * 2 and r.delete("large") == 1


def databases(r):
    other = redis.Redis(port=PORT, db=9, protocol=r.get_connection_kwargs().get("protocol", 3))
    other.flushdb()
    r.set("here", 1)
    assert other.get("here") is None and other.set("there", 2) and r.get("there") is None
    assert r.move("here", 9) is True and other.get("here") == b"1" and r.exists("here") == 0
    assert r.copy("none", "x", destination_db=9) is False
    assert r.swapdb(0, 9) is True and r.get("there") == b"2" and r.swapdb(0, 9) is True
    refused(redis.ResponseError, "out of range", redis.Redis(port=PORT, db=1000).ping)
    assert other.dbsize() == 2 and other.flushdb() and other.dbsize() == 0
    other.close()


def introspection(r):
    assert r.client_setname("session") and text(r.client_getname()) == "session"
    mine = r.client_info()
    assert mine["name"] == "session" and mine["lib-name"].startswith("redis-py") and int(mine["id"]) == r.client_id()
    assert any(int(c["id"]) == r.client_id() for c in r.client_list())
    info = r.info()
    assert info["redis_version"] and info["connected_clients"] >= 1 and info["used_memory"] > 0
    r.set("one", 1)
    assert r.info("keyspace")["db0"]["keys"] == r.dbsize()
    assert set(r.info("server")) >= {"redis_version", "tcp_port", "uptime_in_seconds", "process_id", "run_id"}
    assert r.command_count() > 50
    table = r.command()
    assert table["get"]["arity"] == 2 and "readonly" in table["get"]["flags"]
    assert [text(k) for k in r.command_getkeys("MSET", "a", 1, "b", 2)] == ["a", "b"]
    before = r.config_get("maxclients")["maxclients"]
    assert r.config_set("maxclients", 321) and r.config_get("maxc*") == {"maxclients": "321"}
    assert r.config_set("maxclients", before)
    refused(redis.ResponseError, "CONFIG SET failed", r.config_set, "maxmemory-samples", "none")
    assert r.config_resetstat() and r.echo(b"\x00hi") == b"\x00hi"
    assert abs(r.time()[0] - time.time()) < 60


def errors(r):
    refused(redis.ResponseError, "unknown command 'NOSUCH', with args beginning with: 'a' 'b'", r.execute_command, "NOSUCH", "a", "b")
    refused(redis.ResponseError, "wrong number of arguments for 'get' command", r.execute_command, "GET")
    refused(redis.ResponseError, "syntax error", r.execute_command, "SET", "k", "v", "NX", "XX")
    r.set("word", "abc"), r.set("max", 2 ** 63 - 1)
    refused(redis.ResponseError, "value is not an integer or out of range", r.incr, "word")
    refused(redis.ResponseError, "increment or decrement would overflow", r.incr, "max")
    refused(redis.ResponseError, "not a valid float", r.incrbyfloat, "word", 1)
    refused(redis.ResponseError, "unknown subcommand", r.execute_command, "CLIENT NOSUCH")
    assert r.ping() is True, "the connection must survive errors"


def reconnect(r):
    r.set("kept", "yes")
    victim = redis.Redis(port=PORT, single_connection_client=True)
    number = victim.client_id()
    assert r.client_kill_filter(_id=number) == 1
    assert victim.get("kept") == b"yes", "the client did not come back after CLIENT KILL"
    assert victim.client_id() > number
    victim.close()


def unix(r):
    local = redis.Redis(unix_socket_path=UNIX)
    r.set("over", "unix")
    assert local.get("over") == b"unix" and local.client_info()["addr"] == f"{UNIX}:0"
    value = os.urandom(3_000_000)
    assert local.set("big", value) and r.get("big") == value
    local.close()


TESTS = [strings, keys, expiry, scan, pipelines, binary, large, databases, introspection, errors, reconnect, unix]


def main():
    tally = Tally()
    for label, options in (("default", {}), ("resp2", {"protocol": 2}), ("resp3", {"protocol": 3})):
        for test in TESTS:
            with redis.Redis(port=PORT, **options) as client:
                client.flushall()
                tally.run(f"redis-py {redis.__version__} {label} {test.__name__}", test, client)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
