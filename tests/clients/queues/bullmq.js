// BullMQ and Redlock, as they run in production. usage: node bullmq.js PORT [JOBS]
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";
import Redlock from "redlock";
import { Tally } from "./tally.js";

const port = Number(process.argv[2]);
const JOBS = Number(process.argv[3] ?? 10_000);
const connection = { port, maxRetriesPerRequest: null };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// None outlives this program: whoever reads what it says would wait for them, too.
const children = [];
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));

function start(queue, name, limit) {
  const script = fileURLToPath(new URL("bullmq-worker.js", import.meta.url));
  const child = fork(script, [String(port), queue, name, ...(limit ? [String(limit)] : [])]);
  children.push(child);
  const ready = new Promise((resolve) => child.once("message", resolve));
  return ready.then(() => child);
}

function stop(child) {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  return gone;
}

async function until(what, seconds, check) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    if (await check()) return;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(50);
  }
}

// The ids of all that are connected.
async function clients(r) {
  return (await r.client("LIST")).trim().split("\n").map((line) => line.match(/^id=(\d+)/)[1]);
}

const programs = {
  // Priorities, delays and retries; a worker that is killed with jobs in hand; two that go on.
  async manyJobs(r) {
    const queue = new Queue("many", { connection });
    await queue.waitUntilReady();
    const before = await clients(r);
    const victim = await start("many", "victim");
    const jobs = [];
    for (let n = 0; n < JOBS; n++) {
      const opts = { jobId: `job-${n}`, attempts: 4, backoff: { type: "fixed", delay: 20 } };
      if (n % 3 === 0) opts.priority = 1 + (n % 7);
      if (n % 5 === 0) opts.delay = n % 1500;
      const data = { n, failsUntil: n % 11 === 0 ? 1 + (n % 2) : 0, takesMs: n % 50 === 0 ? 30 : 0 };
      jobs.push({ name: "work", data, opts });
    }
    let killed = null;
    for (let n = 0; n < JOBS; n += 500) {
      await queue.addBulk(jobs.slice(n, n + 500));
      if (n >= JOBS / 4 && killed === null) {
        await until("the victim has work", 120, async () => (await r.scard("hand:victim")) > 0);
        const own = (await clients(r)).filter((id) => !before.includes(id));
        const gone = new Promise((resolve) => victim.once("exit", resolve));
        victim.kill("SIGKILL");
        await gone;
        // What it had sent is taken in when its connections are gone.
        await until("the victim's connections end", 120, async () => !(await clients(r)).some((id) => own.includes(id)));
        killed = await r.smembers("hand:victim");
      }
    }
    const steady = await Promise.all([start("many", "steady-1"), start("many", "steady-2")]);
    await until("all jobs are done", 600, async () => (await queue.getCompletedCount()) === JOBS);
    const counts = await queue.getJobCounts();
    assert.deepEqual({ ...counts, completed: 0 }, Object.fromEntries(Object.keys(counts).map((k) => [k, 0])));
    const done = await r.hgetall("done");
    const missing = jobs.filter((job) => !(job.opts.jobId in done));
    assert.equal(missing.length, 0, "lost");
    const doubled = Object.entries(done).filter(([id, times]) => times !== "1" && !killed.includes(id));
    assert.deepEqual(doubled, [], "doubled");
    await Promise.all(steady.map(stop));
    for (const n of [0, 11, 55, JOBS - 1]) {
      const job = await queue.getJob(`job-${n}`);
      assert.equal(job.returnvalue, n);
      assert.equal(job.attemptsMade, 1 + jobs[n].data.failsUntil);
    }
    await queue.obliterate({ force: true });
    assert.deepEqual((await r.keys("bull:many:*")).filter((key) => !key.endsWith(":meta")), []);
    await queue.close();
  },

  // With one worker that does one job at a time, the order is that of the priorities.
  async priorities() {
    const queue = new Queue("ranks", { connection });
    const ranks = Array.from({ length: 200 }, (_, n) => 1 + ((n * 37) % 100));
    await queue.addBulk(ranks.map((priority, n) => ({ name: "p", data: { n }, opts: { priority } })));
    const seen = [];
    const worker = new Worker("ranks", async (job) => void seen.push(job.opts.priority), { connection });
    await until("all are done", 120, async () => seen.length === ranks.length);
    assert.deepEqual(seen, [...ranks].sort((a, b) => a - b));
    await worker.close();
    await queue.close();
  },

  async rateLimit(r) {
    const queue = new Queue("slow", { connection });
    const worker = await start("slow", "limited", 20);
    const began = Date.now();
    await queue.addBulk(Array.from({ length: 60 }, (_, n) => ({ name: "w", data: { n }, opts: { jobId: `slow-${n}` } })));
    await until("all are done", 120, async () => (await queue.getCompletedCount()) === 60);
    const took = Date.now() - began;
    assert.ok(took >= 1900, `60 jobs at 20 a second took ${took} ms`);
    assert.equal(await r.hget("done", "slow-59"), "1");
    await stop(worker);
    await queue.close();
  },

  // A parent runs when its children have, and gets what they returned.
  async flows(r) {
    const flow = new FlowProducer({ connection });
    const workers = await Promise.all([start("parts", "parts"), start("whole", "whole")]);
    for (let n = 0; n < 100; n++) {
      const children = [1, 2, 3].map((part) => ({
        name: "part", queueName: "parts", data: { n: n * part, failsUntil: part === 3 ? 1 : 0 },
        opts: { jobId: `part-${n}-${part}`, attempts: 2 },
      }));
      await flow.add({ name: "sum", queueName: "whole", data: { n, sums: true }, opts: { jobId: `whole-${n}` }, children });
    }
    const whole = new Queue("whole", { connection });
    await until("all are done", 120, async () => (await whole.getCompletedCount()) === 100);
    for (const n of [0, 1, 50, 99]) assert.equal((await whole.getJob(`whole-${n}`)).returnvalue, 7 * n);
    for (let n = 0; n < 100; n++) assert.equal(await r.hget("done", `whole-${n}`), "1");
    await Promise.all(workers.map(stop));
    await flow.close();
    await whole.close();
  },

  async repeat() {
    const queue = new Queue("clock", { connection });
    const events = new QueueEvents("clock", { connection });
    await events.waitUntilReady();
    const completed = [];
    events.on("completed", ({ jobId }) => completed.push(jobId));
    const seen = [];
    const worker = new Worker("clock", async (job) => void seen.push(job.id), { connection });
    await queue.upsertJobScheduler("tick", { every: 200, limit: 5 }, { name: "tick" });
    await until("five ticks", 120, async () => seen.length === 5 && completed.length === 5);
    await sleep(500);
    assert.equal(seen.length, 5);
    assert.equal(new Set(seen).size, 5);
    await worker.close();
    await events.close();
    await queue.close();
  },

  async pauseAndDrain() {
    const queue = new Queue("tap", { connection });
    await queue.pause();
    await queue.addBulk(Array.from({ length: 50 }, (_, n) => ({ name: "t", data: { n } })));
    const seen = [];
    const worker = new Worker("tap", async (job) => void seen.push(job.data.n), { connection });
    await sleep(200);
    assert.equal(seen.length, 0);
    await queue.resume();
    await until("all are done", 120, async () => seen.length === 50);
    await queue.add("late", {}, { delay: 60_000 });
    await queue.drain(true);
    assert.equal(await queue.getDelayedCount(), 0);
    const removed = await queue.clean(0, 1000, "completed");
    assert.equal(removed.length, 50);
    await worker.close();
    await queue.close();
  },

  // Twenty holders at a time, one after the other.
  async redlock(r) {
    const lock = new Redlock([r], { retryCount: 10_000, retryDelay: 10, retryJitter: 10 });
    let inside = 0;
    let turns = 0;
    await Promise.all(Array.from({ length: 20 }, async () => {
      for (let n = 0; n < 5; n++) {
        const held = await lock.acquire(["lock:a", "lock:b"], 100_000);
        assert.equal(++inside, 1);
        await sleep(2);
        inside -= 1;
        turns += 1;
        await held.release();
      }
    }));
    assert.equal(turns, 100);
    const held = await lock.acquire(["lock:a"], 30_000);
    const longer = await held.extend(100_000);
    assert.ok((await r.pttl("lock:a")) > 40_000);
    await longer.release();
    await assert.rejects(lock.using(["lock:a"], 30_000, { retryCount: 0 }, async () => {
      await new Redlock([r], { retryCount: 0 }).acquire(["lock:a"], 30_000);
    }));
    assert.equal(await r.exists("lock:a", "lock:b"), 0);
  },
};

const tally = new Tally();
const r = new Redis(connection);
for (const [name, program] of Object.entries(programs)) await tally.run(`bullmq ${name}`, () => program(r), 800_000);
r.disconnect();
tally.close();
