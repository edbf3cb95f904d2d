"""What people write on top of Redis, with redis-py: small programs that run as they would in production.

usage: programs.py PORT UNIX_SOCKET
"""
import json
import os
import sys
import threading
import time
import uuid

import redis
from redis.cache import CacheConfig

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from harness import Tally, wait_until  # noqa: E402

PORT = int(sys.argv[1])
OPTIONS = {}


def connect():
    return redis.Redis(port=PORT, decode_responses=True, **OPTIONS)


def cache_with_ttl(r):
    loads = []

    def load(name):
        value = r.get(f"cache:{name}")
        if value is None:
            loads.append(name)
            value = json.dumps({"name": name})
            r.set(f"cache:{name}", value, px=150_000)
        return json.loads(value)

    for _ in range(3):
        assert load("ann") == {"name": "ann"}
    assert load("bob") == {"name": "bob"} and loads == ["ann", "bob"]
    assert 0 < r.pttl("cache:ann") <= 150_000 and r.pexpire("cache:ann", 20)
    assert wait_until(lambda: not r.exists("cache:ann"))
    load("ann")
    assert loads == ["ann", "bob", "ann"]
    r.hset("cache:h", mapping={"a": 1, "b": 2})
    assert r.hgetall("cache:h") == {"a": "1", "b": "2"} and r.expire("cache:h", 100) and r.ttl("cache:h") > 60


def list_queue(r):
    """Three workers on a reliable queue; each job is done once, though one worker dies with a job in hand."""
    jobs, done, lock = 600, [], threading.Lock()

    def work(number):
        with connect() as c:
            while True:
                job = c.blmove("jobs", f"doing:{number}", 5, "RIGHT", "LEFT")
                if job is None or job == "stop":
                    return
                if number == 0 and job == "job:100":
                    return
                with lock:
                    done.append(job)
                assert c.lrem(f"doing:{number}", 1, job) == 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for worker in workers:
        worker.start()
    pipe = r.pipeline(transaction=False)
    for n in range(jobs):
        pipe.lpush("jobs", f"job:{n}")
    pipe.execute()
    for _ in workers:
        r.lpush("jobs", "stop")
    for worker in workers:
        worker.join()
    with connect() as c:
        for n in range(3):
            while (job := c.lmove(f"doing:{n}", "jobs", "RIGHT", "LEFT")) is not None:
                pass
        while (popped := c.brpop("jobs", 1)) is not None:
            if popped[1] != "stop":
                done.append(popped[1])
    assert sorted(done) == sorted(f"job:{n}" for n in range(jobs)), f"{len(done)} jobs, {len(set(done))} different"


def stream_workers(r):
    """Two consumers of a group; one takes messages and dies, the other claims them."""
    r.xgroup_create("events", "billing", id="0", mkstream=True)
    ids = [r.xadd("events", {"n": n, "kind": "order"}) for n in range(200)]
    lost = r.xreadgroup("billing", "mortal", {"events": ">"}, count=37)[0][1]
    assert len(lost) == 37
    seen = {}
    with connect() as c:
        while True:
            got = c.xreadgroup("billing", "steady", {"events": ">"}, count=50, block=200)
            if not got:
                break
            for number, fields in got[0][1]:
                seen[number] = fields["n"]
                c.xack("events", "billing", number)
        cursor = "0-0"
        while True:
            cursor, claimed, deleted = c.xautoclaim("events", "billing", "steady", 0, cursor, count=10)
            assert deleted == []
            for number, fields in claimed:
                seen[number] = fields["n"]
                c.xack("events", "billing", number)
            if cursor == "0-0":
                break
    assert sorted(seen) == sorted(ids) and r.xpending("events", "billing")["pending"] == 0
    info = r.xinfo_groups("events")[0]
    assert info["lag"] == 0 and info["entries-read"] == 200, info
    assert r.xtrim("events", maxlen=50, approximate=False) == 150 and r.xlen("events") == 50
    assert len(r.xrange("events", count=10)) == 10 and r.xrevrange("events", count=1)[0][0] == ids[-1]


def leaderboard(r):
    r.zadd("board", {f"player:{n}": n * 10 for n in range(1000)})
    assert r.zincrby("board", 5000, "player:7") == 5070.0
    assert r.zrevrange("board", 0, 1, withscores=True)[0][0] == "player:999"
    assert r.zrevrank("board", "player:999") == 0 and r.zrank("board", "player:0") == 0
    assert r.zadd("board", {"player:7": 1}, gt=True) == 0 and r.zscore("board", "player:7") == 5070.0
    near = r.zrange("board", 5050, 5090, byscore=True)
    assert near == ["player:505", "player:506", "player:507", "player:7", "player:508", "player:509"], near
    assert r.zcount("board", "(9900", "+inf") == 9
    r.zadd("week", {"player:1": 3, "player:2": 5})
    assert r.zunionstore("total", {"board": 1, "week": 100}, aggregate="SUM") == 1000
    assert r.zscore("total", "player:2") == 520.0
    assert r.zremrangebyrank("board", 0, -11) == 990 and r.zcard("board") == 10


def delayed_jobs(r):
    """Jobs by the moment when they are due; several pollers take each exactly once."""
    taken, lock = [], threading.Lock()
    start = time.time()
    due = {f"job:{n}": start + 0.05 + n % 10 / 50 for n in range(100)}
    r.zadd("delayed", due)

    def poll():
        with connect() as c:
            while time.time() < start + 100 and len(taken) < len(due):
                for job in c.zrange("delayed", "-inf", time.time(), byscore=True, offset=0, num=10):
                    if c.zrem("delayed", job):
                        with lock:
                            taken.append((job, time.time()))
                time.sleep(0.005)

    pollers = [threading.Thread(target=poll) for _ in range(3)]
    for poller in pollers:
        poller.start()
    for poller in pollers:
        poller.join()
    assert sorted(job for job, _ in taken) == sorted(due), len(taken)
    assert all(at >= due[job] for job, at in taken), "a job came before it was due"


def rate_limit(r):
    def allowed(who, limit, window_s):
        pipe = r.pipeline()
        pipe.incr(f"rate:{who}")
        pipe.expire(f"rate:{who}", window_s, nx=True)
        return pipe.execute()[0] <= limit

    assert [allowed("ann", 5, 1000) for _ in range(8)] == [True] * 5 + [False] * 3
    assert allowed("bob", 5, 1000) and 900 < r.ttl("rate:ann") <= 1000
    # A sliding window, by a sorted set of moments.
    for n in range(20):
        with r.pipeline() as pipe:
            pipe.zremrangebyscore("slide", 0, n - 5).zadd("slide", {str(n): n}).zcard("slide").expire("slide", 1000)
            removed, added, size, _ = pipe.execute()
        assert added == 1 and size == min(n + 1, 5), (n, removed, size)


def sessions(r):
    token = uuid.uuid4().hex
    r.hset(f"session:{token}", mapping={"user": "ann", "visits": 0})
    r.expire(f"session:{token}", 1000)
    for _ in range(10):
        r.hincrby(f"session:{token}", "visits", 1)
    assert r.hgetall(f"session:{token}") == {"user": "ann", "visits": "10"}
    assert r.hmget(f"session:{token}", "user", "none") == ["ann", None] and r.ttl(f"session:{token}") > 900
    r.sadd("online", token) and r.sadd("online", "other")
    assert r.sismember("online", token) and r.scard("online") == 2
    # Two requests change one session at once: the second sees that and begins again.
    tries = []
    with r.pipeline() as pipe:
        while True:
            pipe.watch(f"session:{token}")
            visits = int(pipe.hget(f"session:{token}", "visits"))
            if not tries:
                r.hincrby(f"session:{token}", "visits", 5)
            tries.append(visits)
            pipe.multi()
            pipe.hset(f"session:{token}", "visits", visits * 2)
            try:
                pipe.execute()
                break
            except redis.WatchError:
                continue
    assert tries == [10, 15] and r.hget(f"session:{token}", "visits") == "30"
    r.delete(f"session:{token}")
    assert r.srem("online", token) == 1


def messages(r):
    """Publish and subscribe, and events of the keyspace."""
    r.config_set("notify-keyspace-events", "KEA")
    with r.pubsub() as listener:
        listener.subscribe("news")
        listener.psubscribe("__keyevent@0__:*", "n?ws")
        got = []

        def until(count):
            end = time.monotonic() + 100
            while len(got) < count and time.monotonic() < end:
                message = listener.get_message(ignore_subscribe_messages=True, timeout=0.2)
                if message:
                    got.append((message["type"], message["channel"], message["data"]))
            return got

        assert wait_until(lambda: r.pubsub_numsub("news")[0][1] == 1 and r.pubsub_numpat() == 2)
        assert r.publish("news", "hello") == 2
        until(2)
        r.set("k", "v", ex=100)
        r.lpush("l", "a")
        r.lpop("l")
        until(7)
    r.config_set("notify-keyspace-events", "")
    assert got[:2] == [("message", "news", "hello"), ("pmessage", "news", "hello")], got
    events = [(channel.split(":")[1], data) for _, channel, data in got[2:]]
    assert events == [("set", "k"), ("expire", "k"), ("lpush", "l"), ("lpop", "l"), ("del", "l")], events


def locks(r):
    counter = {"n": 0}

    def work():
        with connect() as c:
            for _ in range(20):
                token = uuid.uuid4().hex
                while not c.set("lock", token, nx=True, px=100_000):
                    time.sleep(0.001)
                before = counter["n"]
                time.sleep(0.0005)
                counter["n"] = before + 1
                with c.pipeline() as pipe:
                    pipe.watch("lock")
                    assert pipe.get("lock") == token
                    pipe.multi()
                    pipe.delete("lock")
                    pipe.execute()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter["n"] == 80


def subscribers(r):
    return [int(one["id"]) for one in r.client_list() if one["sub"] == "1"]


def client_side_caching(r):
    """A client keeps what it has read until it hears that it has changed: in RESP3 by itself, in RESP2 through another."""
    r.mset({"a": 1, "b": 2})
    if OPTIONS.get("protocol") == 2:
        with connect() as reader:
            with r.pubsub() as messages:
                messages.subscribe("__redis__:invalidate")
                assert messages.get_message(timeout=100)["type"] == "subscribe"
                ids = []
                # Those of the program before may not be gone yet.
                assert wait_until(lambda: ids.clear() or ids.extend(subscribers(r)) or len(ids) == 1), ids
                reader.execute_command("CLIENT", "TRACKING", "ON", "REDIRECT", ids[0])
                assert reader.get("a") == "1"
                r.incr("a")
                message = messages.get_message(timeout=100)
                assert message["channel"] == "__redis__:invalidate" and message["data"] == ["a"], message
        return
    with redis.Redis(port=PORT, decode_responses=True, protocol=3, cache_config=CacheConfig()) as c:
        cache = c.get_cache()
        assert c.get("a") == "1" and c.mget("a", "b") == ["1", "2"] and cache.size == 2
        hits = r.info("stats")["keyspace_hits"]
        assert c.get("a") == "1" and c.mget("a", "b") == ["1", "2"], "from its own memory"
        assert r.info("stats")["keyspace_hits"] == hits
        r.incr("a")
        assert wait_until(lambda: c.get("a") == "2") and c.mget("a", "b") == ["2", "2"]
        r.pexpire("b", 20)
        assert wait_until(lambda: c.get("b") is None)
        r.flushall()
        assert wait_until(lambda: c.get("a") is None)


PROGRAMS = [cache_with_ttl, list_queue, stream_workers, leaderboard, delayed_jobs, rate_limit, sessions, messages, client_side_caching,
            locks]


def main():
    tally = Tally()
    for label, options in (("default", {}), ("resp2", {"protocol": 2})):
        OPTIONS.clear()
        OPTIONS.update(options)
        for program in PROGRAMS:
            with connect() as client:
                client.flushall()
                tally.run(f"program redis-py {label} {program.__name__}", program, client)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
