"""What the workers of queues.py run: RQ's functions, Huey's and Celery's tasks. The port is in the environment."""
import os
import time

import redis
from celery import Celery
from huey import RedisHuey

PORT = int(os.environ["ALMAGRE_TEST_PORT"])
own = redis.Redis(port=PORT, decode_responses=True)


def add(a, b):
    own.hincrby("rq:done", f"{a}+{b}", 1)
    return a + b


def fails_first(name):
    if own.incr(f"rq:tries:{name}") == 1:
        raise ValueError("not yet")
    return own.hincrby("rq:done", name, 1)


def dies(name):
    """Takes the whole work horse down, once."""
    if own.incr(f"rq:tries:{name}") == 1:
        os._exit(7)
    return own.hincrby("rq:done", name, 1)


huey = RedisHuey("almagre", port=PORT)


@huey.task()
def huey_add(a, b):
    own.hincrby("huey:done", f"{a}+{b}", 1)
    return a + b


@huey.task(retries=2, retry_delay=0)
def huey_fails_first(name):
    if own.incr(f"huey:tries:{name}") == 1:
        raise ValueError("not yet")
    return name


@huey.task()
def huey_locked(number):
    with huey.lock_task("one-at-a-time"):
        inside = own.incr("huey:inside")
        time.sleep(0.02)
        own.decr("huey:inside")
        return [number, inside]


app = Celery("almagre", broker=f"redis://127.0.0.1:{PORT}/1", backend=f"redis://127.0.0.1:{PORT}/2")
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=4, broker_connection_retry_on_startup=True,
                broker_transport_options={"visibility_timeout": 3}, result_expires=600)


@app.task
def celery_add(a, b):
    own.hincrby("celery:done", f"{a}+{b}", 1)
    return a + b


@app.task
def celery_waits(number):
    """Done when the test says so; a killed worker has it in hand until then."""
    while not own.exists("celery:go"):
        time.sleep(0.02)
    return number + 5


@app.task
def celery_sum(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def celery_fails_first(self, name):
    if own.incr(f"celery:tries:{name}") == 1:
        raise self.retry(exc=ValueError("not yet"), countdown=0.1)
    return name
