"""RQ, Huey, Celery and redis-py's own scripts, as they run in production.

usage: queues.py PORT
"""
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", ".."))
PORT = sys.argv[1]
os.environ["ALMAGRE_TEST_PORT"] = PORT

import redis  # noqa: E402
import tasks  # noqa: E402
from harness import Tally, wait_until  # noqa: E402
from rq import Queue, Retry  # noqa: E402
from rq.job import Dependency  # noqa: E402

URL = f"redis://127.0.0.1:{PORT}/0"
BIN = os.path.dirname(sys.executable)


class Process:
    """A worker of some kind, which is ended with the block."""

    def __init__(self, *argv):
        argv = [os.path.join(BIN, argv[0]), *argv[1:]]
        env = {**os.environ, "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1", "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"}
        self.process = subprocess.Popen(argv, cwd=HERE, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def rq_worker(*options):
    return Process("rq", "worker", "--url", URL, "--quiet", *options, "high", "low")


def rq_jobs(r):
    """Two workers, two queues: everything is done once, high before low."""
    high, low = Queue("high", connection=r), Queue("low", connection=r)
    jobs = [low.enqueue(tasks.add, n, 1) for n in range(60)] + [high.enqueue(tasks.add, n, 2) for n in range(60)]
    last = high.enqueue(tasks.add, 1000, 1000, depends_on=Dependency(jobs=jobs))
    again = low.enqueue(tasks.fails_first, "again", retry=Retry(max=3, interval=[0, 1]))
    lost = low.enqueue(tasks.dies, "horse", retry=Retry(max=2))
    with rq_worker("--with-scheduler"), rq_worker():
        assert wait_until(lambda: last.get_status(refresh=True) == "finished", 300), last.get_status()
        assert wait_until(lambda: again.get_status(refresh=True) == "finished", 300), again.get_status()
        assert wait_until(lambda: lost.get_status(refresh=True) == "finished", 300), lost.get_status()
    assert [job.return_value() for job in jobs[:3]] == [1, 2, 3] and last.return_value() == 2000
    done = r.hgetall("rq:done")
    assert len(done) == 123 and set(done.values()) == {b"1"}, done
    assert len(low) == len(high) == 0 and low.failed_job_registry.count == 0


def rq_scheduler(r):
    """Jobs for later are taken up by the worker's scheduler, once, though two schedulers run."""
    high = Queue("high", connection=r)
    r.delete("rq:done")
    jobs = [high.enqueue_in(timedelta(seconds=1 + n % 3), tasks.add, n, 7) for n in range(30)]
    assert high.scheduled_job_registry.count == 30
    with rq_worker("--with-scheduler"), rq_worker("--with-scheduler"):
        assert wait_until(lambda: all(job.get_status(refresh=True) == "finished" for job in jobs), 300)
    assert set(r.hgetall("rq:done").values()) == {b"1"} and high.scheduled_job_registry.count == 0


def huey(r):
    """Tasks, retries, schedules, results, locks, and a consumer that is killed between tasks."""
    with Process("huey_consumer", "tasks.huey", "-w", "4", "-k", "thread", "-s", "1", "-d", "0.02"):
        results = [tasks.huey_add(n, 1) for n in range(200)]
        assert [result.get(blocking=True, timeout=300) for result in results] == list(range(1, 201))
        assert set(r.hgetall("huey:done").values()) == {b"1"}
        assert tasks.huey_fails_first("huey").get(blocking=True, timeout=300) == "huey"
        later = tasks.huey_add.schedule((1, 2), delay=1)
        assert later.get(blocking=True, timeout=300) == 3
        locked = [tasks.huey_locked(n) for n in range(8)]
        values = []
        for one in locked:
            try:
                values.append(one.get(blocking=True, timeout=300))
            except Exception:  # the lock was taken: the task is refused, as it should be
                pass
        assert values and all(inside == 1 for _, inside in values), values
    pipeline = tasks.huey_add.s(1, 1).then(tasks.huey_add, 10)
    results = tasks.huey.enqueue(pipeline)
    with Process("huey_consumer", "tasks.huey", "-w", "2", "-k", "thread", "-d", "0.02"):
        assert results.get(blocking=True, timeout=300) == [2, 12]


def celery(r):
    """Groups, chords, chains, retries, and a worker that is killed: acknowledged late, nothing is lost."""
    from celery import chain, chord, group
    worker = ("celery", "-A", "tasks", "worker", "-c", "4", "-P", "threads", "-l", "ERROR", "--without-gossip", "--without-mingle")
    with Process(*worker) as process:
        results = group(tasks.celery_add.s(n, 1) for n in range(200)).apply_async()
        assert results.get(timeout=300) == list(range(1, 201))
        total = chord((tasks.celery_add.s(n, n) for n in range(50)), tasks.celery_sum.s()).apply_async()
        assert total.get(timeout=300) == 2450
        assert chain(tasks.celery_add.s(1, 2), tasks.celery_add.s(4), tasks.celery_add.s(8)).apply_async().get(timeout=300) == 15
        assert tasks.celery_fails_first.delay("celery").get(timeout=300) == "celery"
        later = [tasks.celery_waits.delay(n) for n in range(200)]
        # A message that is on its way while a worker dies is lost with Redis too: kombu pops first, and notes it then.
        # So it is killed when it has as many in hand as it takes.
        with redis.Redis(port=int(PORT), db=1) as broker:
            in_hand, calm = 0, 0
            while calm < 4:
                before, in_hand = in_hand, broker.zcard("unacked_index")
                calm = calm + 1 if in_hand == before > 0 else 0
                time.sleep(0.5)
        process.kill()
        process.wait()
    r.set("celery:go", 1)
    with Process(*worker):
        assert [result.get(timeout=300) for result in later] == [n + 5 for n in range(200)]


def redis_py_scripts(r):
    """Lock, and a script object that loads itself when the server has forgotten it."""
    counter, most = [0], [0]

    def work():
        with redis.Redis(port=int(PORT)) as own:
            for _ in range(25):
                with own.lock("py:lock", timeout=100, sleep=0.002):
                    counter[0] += 1
                    most[0] = max(most[0], int(own.incr("py:inside")))
                    own.decr("py:inside")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert counter[0] == 150 and most[0] == 1
    lock = r.lock("py:lock", timeout=30)
    assert lock.acquire(blocking=False) and lock.extend(50) and lock.reacquire() and lock.owned()
    assert not r.lock("py:lock").acquire(blocking=False)
    r.delete("py:lock")
    try:
        lock.release()
        raise AssertionError("a lock that was taken away was released")
    except redis.exceptions.LockNotOwnedError:
        pass
    multiply = r.register_script("return redis.call('get', KEYS[1]) * ARGV[1]")
    r.set("py:n", 6)
    assert multiply(keys=["py:n"], args=[7]) == 42
    r.script_flush()
    assert multiply(keys=["py:n"], args=[7]) == 42
    with r.pipeline() as pipe:
        multiply(keys=["py:n"], args=[2], client=pipe)
        pipe.incr("py:n")
        multiply(keys=["py:n"], args=[2], client=pipe)
        assert pipe.execute() == [12, 7, 14]
    r.function_load("#!lua name=py\nredis.register_function('py_up', function(k, a) return redis.call('incrby', k[1], a[1]) end)")
    assert r.fcall("py_up", 1, "py:n", 3) == 10 and r.function_list()[0][1] == b"py"
    dump = r.function_dump()
    r.function_flush()
    r.function_restore(dump)
    assert r.fcall("py_up", 1, "py:n", 3) == 13


def rate_limiter(r):
    """A sliding window in a script: of many clients at once, so many pass as may."""
    window = r.register_script("""
        local now = redis.call('TIME')
        local ms = now[1] * 1000 + math.floor(now[2] / 1000)
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms - ARGV[1])
        if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[2]) then
            redis.call('ZADD', KEYS[1], ms, ms .. '-' .. redis.call('INCR', KEYS[2]))
            redis.call('PEXPIRE', KEYS[1], ARGV[1])
            return 1
        end
        return 0
    """)
    passed = []

    def work():
        with redis.Redis(port=int(PORT)) as own:
            passed.extend(window(keys=["limit", "limit:seq"], args=[600_000, 50], client=own) for _ in range(40))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert sum(passed) == 50 and len(passed) == 200 and r.zcard("limit") == 50


tally = Tally()
client = redis.Redis(port=int(PORT))
for name, program in [("rq jobs", rq_jobs), ("rq scheduler", rq_scheduler), ("huey", huey), ("celery", celery),
                      ("redis-py scripts", redis_py_scripts), ("rate limiter", rate_limiter)]:
    tally.run(name, lambda program=program: program(client))
sys.exit(tally.close())
