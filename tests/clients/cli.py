"""A session of redis-cli: one-shot commands, stdin, --pipe, --scan, --json, the Unix socket and its output forms.

usage: cli.py PORT UNIX_SOCKET REDIS_CLI
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Tally, pack  # noqa: E402

PORT, UNIX, CLI = sys.argv[1:4]


def cli(*args, stdin=b"", at=("-p", PORT), raw=False):
    """Runs redis-cli once; its standard output, without the last newline unless `raw`."""
    done = subprocess.run([CLI, *at, *args], input=stdin, capture_output=True, timeout=300)
    assert done.returncode == 0, f"status {done.returncode}: {done.stdout[-300:]} {done.stderr[-300:]}"
    return done.stdout if raw else done.stdout.decode().rstrip("\n")


def strings():
    assert cli("SET", "s", "one", "EX", "100") == "OK" and cli("GET", "s") == "one"
    assert cli("--no-raw", "GET", "none") == "(nil)" and cli("--no-raw", "INCR", "n") == "(integer) 1"
    assert cli("--no-raw", "MGET", "s", "none") == '1) "one"\n2) (nil)'
    assert cli("-r", "5", "INCR", "n").split() == ["2", "3", "4", "5", "6"]
    assert cli("-x", "SET", "x", stdin=b"\x00\xff\r\n") == "OK"
    assert cli("--no-raw", "GET", "x") == r'"\x00\xff\r\n"'
    assert cli("-n", "4", "DBSIZE") == "0" and cli("-3", "PING") == "PONG"


def resp3():
    assert cli("-3", "--no-raw", "CONFIG", "GET", "timeout").startswith('1# "timeout" => ')
    assert cli("-3", "--no-raw", "GET", "none") == "(nil)"
    assert cli("-3", "--json", "MGET", "s", "none") == '["one",null]'


def standard_input():
    script = b"".join(b"SET in:%d %d\n" % (i, i) for i in range(200)) + b"DBSIZE\n"
    lines = cli(stdin=b"FLUSHALL\n" + script).split("\n")
    assert lines == ["OK"] * 201 + ["200"]


def mass_insertion():
    load = b"".join(pack("SET", f"mass:{i}", i) for i in range(20_000))
    assert "errors: 0, replies: 20000" in cli("--pipe", stdin=load)
    assert cli("DBSIZE") == "20200"


def scan():
    assert len(cli("--scan", "--pattern", "mass:*").split("\n")) == 20_000
    assert set(cli("--scan", "--pattern", "in:1?").split("\n")) == {f"in:1{i}" for i in range(10)}


def large():
    value = os.urandom(10 << 20)
    assert cli("-x", "SET", "large", stdin=value) == "OK"
    assert cli("GET", "large", raw=True) == value + b"\n" and cli("STRLEN", "large") == str(10 << 20)


def introspection():
    assert "redis_version:" in cli("INFO", "server") and "db0:keys=" in cli("INFO", "keyspace")
    assert "cmd=client|list" in cli("CLIENT", "LIST") and int(cli("COMMAND", "COUNT")) > 50
    assert cli("CONFIG", "GET", "maxclients").startswith("maxclients\n")
    assert cli("COMMAND", "DOCS", "SET").startswith("set\nsummary\n")
    assert cli("--no-raw", "OBJECT", "ENCODING", "n") == "(nil)"


def errors():
    assert cli("NOSUCH", "a") == "ERR unknown command 'NOSUCH', with args beginning with: 'a' "
    assert cli("--no-raw", "GET") == "(error) ERR wrong number of arguments for 'get' command"
    assert subprocess.run([CLI, "-e", "-p", PORT, "GET"], capture_output=True, timeout=300).returncode == 1


def unix():
    assert cli("SET", "over", "unix", at=("-s", UNIX)) == "OK" and cli("GET", "over") == "unix"


def main():
    version = subprocess.run([CLI, "--version"], capture_output=True, text=True).stdout.split()[1]
    cli("FLUSHALL")
    tally = Tally()
    for test in (strings, resp3, standard_input, mass_insertion, scan, large, introspection, errors, unix):
        tally.run(f"redis-cli {version} {test.__name__}", test)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
