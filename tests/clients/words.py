"""A real data set, used as people use it: Debian's English word list as keys with counters and TTLs.

Loads every word through a pipeline (a counter by SET and INCRBY, a TTL on every third), reads all of it back by SCAN
with MGET and PTTL, and compares each value and TTL with what the words say they must be. Prints figures.

usage: words.py PORT [--benchmark PATH]      with PATH, also redis-benchmark's default tests of this surface
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

import redis

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Tally  # noqa: E402

LIST = "/usr/share/dict/american-english"
BATCH = 2000
DAY_MS = 86_400_000


def words():
    """The words of the list as bytes; installs Debian's package when it is missing."""
    if not os.path.exists(LIST):
        apt = ["apt-get", "-q", "-y", "--no-install-recommends", "install", "wamerican"]
        if subprocess.run(apt, stdout=subprocess.DEVNULL).returncode != 0:
            subprocess.run(["apt-get", "-q", "update"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run(apt, check=True, stdout=subprocess.DEVNULL)
    with open(LIST, "rb") as file:
        return file.read().split()


def counter(word):
    """What the counter of a word must be after the load: the word as a number, and its length added."""
    return int.from_bytes(word[:6], "big") + len(word)


def expected_ttl_ms(index):
    """The TTL given to the index-th word; None for those that never expire."""
    return None if index % 3 else DAY_MS + index * 1000


def load(client, listed):
    begin = time.monotonic()
    for at in range(0, len(listed), BATCH):
        pipe = client.pipeline(transaction=False)
        for index, word in enumerate(listed[at:at + BATCH], at):
            pipe.set(word, counter(word) - len(word), px=expected_ttl_ms(index))
            pipe.incrby(word, len(word))
        replies = pipe.execute()
        assert all(r is True for r in replies[::2]), "a SET was refused"
        assert replies[1::2] == [counter(w) for w in listed[at:at + BATCH]], "a counter is wrong"
    seconds = time.monotonic() - begin
    assert client.dbsize() == len(listed)
    return f"{len(listed)} words, {2 * len(listed) / seconds:,.0f} commands/s, pipeline of {2 * BATCH}"


def read_back(client, listed, started):
    index_of = {word: index for index, word in enumerate(listed)}
    begin, seen, calls = time.monotonic(), set(), 0
    cursor = None
    while cursor != 0:
        cursor, found = client.scan(cursor or 0, count=1000)
        calls += 1
        pipe = client.pipeline(transaction=False).mget(found) if found else None
        for word in found:
            pipe.pttl(word)
        values, *ttls = pipe.execute() if found else [[]]
        elapsed_ms = (time.monotonic() - started) * 1000
        for word, value, ttl in zip(found, values, ttls, strict=True):
            assert int(value) == counter(word), f"{word} holds {value}, not {counter(word)}"
            want = expected_ttl_ms(index_of[word])
            if want is None:
                assert ttl == -1, f"{word} has a TTL of {ttl}"
            else:
                assert want - elapsed_ms - 1000 <= ttl <= want, f"{word} has a TTL of {ttl}, not {want}"
        seen.update(found)
    assert seen == set(listed), f"SCAN missed {len(set(listed) - seen)} words"
    seconds = time.monotonic() - begin
    return f"{len(seen)} values and TTLs in {calls} SCAN calls, {len(seen) / seconds:,.0f} keys/s"


def count_again(client, listed):
    """A second pass of counting, without a TTL lost; then every word is deleted."""
    pipe = client.pipeline(transaction=False)
    for word in listed:
        pipe.incr(word)
    assert pipe.execute() == [counter(w) + 1 for w in listed]
    assert client.pttl(listed[0]) > DAY_MS - 600_000, "INCR dropped a TTL"
    keyspace = client.info("keyspace")["db0"]
    assert keyspace["keys"] == len(listed) and keyspace["expires"] == (len(listed) + 2) // 3
    memory = client.info("memory")["used_memory"]
    for at in range(0, len(listed), BATCH):
        batch = listed[at:at + BATCH]
        assert client.unlink(*batch) == len(batch)
    assert client.dbsize() == 0
    return f"used_memory {memory / 1e6:.1f} MB with all words"


def benchmark(port, path, pipeline):
    tests = "ping_inline,ping_mbulk,set,get,incr,mset"
    requests = 50_000 * (4 if pipeline > 1 else 1)
    argv = [path, "-p", str(port), "-t", tests, "-n", str(requests), "-P", str(pipeline), "-q", "--precision", "2"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600)
    out = done.stdout.replace("\r", "\n")
    assert done.returncode == 0, f"status {done.returncode}: {out[-300:]} {done.stderr[-300:]}"
    assert "error" not in (out + done.stderr).lower(), (out + done.stderr)[-500:]
    rates = re.findall(r"^([A-Z_]+(?: \(\d+ keys\))?): ([\d.]+) requests per second", out, re.M)
    assert len(rates) == 6, f"not six tests: {rates}"
    return ", ".join(f"{name} {float(rate) / 1000:.0f} k/s" for name, rate in rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--benchmark", help="the path of a redis-benchmark or valkey-benchmark")
    args = parser.parse_args()
    tally, listed = Tally(), words()
    client = redis.Redis(port=args.port)
    client.flushall()
    started = time.monotonic()
    tally.run("words load", load, client, listed)
    tally.run("words read back by SCAN", read_back, client, listed, started)
    tally.run("words count again and unlink", count_again, client, listed)
    if args.benchmark:
        if not shutil.which(args.benchmark):
            tally.record("redis-benchmark", f"{args.benchmark} is no program")
        else:
            for pipeline in (1, 16):
                tally.run(f"redis-benchmark pipeline {pipeline}", benchmark, args.port, args.benchmark, pipeline)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
