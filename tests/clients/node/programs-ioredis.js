// What people write on top of Redis, with ioredis. usage: node programs-ioredis.js PORT UNIX_SOCKET
import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { Tally, until } from "./tally.js";

const port = Number(process.argv[2]);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const programs = {
  async cacheWithTtl(c) {
    const loads = [];
    const load = async (name) => {
      const hit = await c.get(`cache:${name}`);
      if (hit !== null) return hit;
      loads.push(name);
      await c.set(`cache:${name}`, name.toUpperCase(), "PX", 150_000);
      return name.toUpperCase();
    };
    for (let i = 0; i < 3; i++) assert.equal(await load("ann"), "ANN");
    assert.equal(await c.pexpire("cache:ann", 20), 1);
    await sleep(60);
    await load("ann");
    assert.deepEqual(loads, ["ann", "ann"]);
  },
  async listQueue(c) {
    const done = [];
    const workers = Array.from({ length: 3 }, async () => {
      const own = new Redis({ port });
      for (;;) {
        const got = await own.brpop("urgent", "jobs", 100);
        if (got === null || got[1] === "stop") break;
        done.push(got[1]);
      }
      await own.quit();
    });
    const pipe = c.pipeline();
    for (let i = 0; i < 500; i++) pipe.lpush(i % 50 ? "jobs" : "urgent", `job:${i}`);
    await pipe.exec();
    for (let i = 0; i < 3; i++) await c.lpush("jobs", "stop");
    await Promise.all(workers);
    assert.equal(new Set(done).size, 500);
    assert.equal(done.length, 500);
  },
  async streamWorkers(c) {
    await c.xgroup("CREATE", "events", "billing", "$", "MKSTREAM");
    const ids = [];
    for (let i = 0; i < 100; i++) ids.push(await c.xadd("events", "MAXLEN", "~", 1000, "*", "n", i));
    await c.xreadgroup("GROUP", "billing", "mortal", "COUNT", 20, "STREAMS", "events", ">");
    const seen = new Set();
    const own = new Redis({ port });
    for (;;) {
      const got = await own.xreadgroup("GROUP", "billing", "steady", "COUNT", 30, "BLOCK", 100, "STREAMS", "events", ">");
      if (got === null) break;
      for (const [id] of got[0][1]) {
        seen.add(id);
        await own.xack("events", "billing", id);
      }
    }
    const [, claimed] = await own.xautoclaim("events", "billing", "steady", 0, "0-0", "COUNT", 100);
    for (const [id, fields] of claimed) {
      assert.equal(fields[0], "n");
      seen.add(id);
    }
    assert.equal(await own.xack("events", "billing", ...claimed.map(([id]) => id)), 20);
    assert.deepEqual([...seen].sort(), [...ids].sort());
    await own.quit();
  },
  async leaderboard(c) {
    const pipe = c.pipeline();
    for (let i = 0; i < 500; i++) pipe.zadd("board", i * 10, `player:${i}`);
    await pipe.exec();
    assert.equal(await c.zincrby("board", 10000, "player:3"), "10030");
    assert.deepEqual(await c.zrange("board", 0, 0, "REV", "WITHSCORES"), ["player:3", "10030"]);
    assert.equal(await c.zrevrank("board", "player:499"), 1);
    assert.deepEqual(await c.zrangebyscore("board", "(4970", "+inf", "LIMIT", 0, 2), ["player:498", "player:499"]);
    assert.equal(await c.zcard("board"), 500);
  },
  async delayedJobs(c) {
    const due = Date.now() + 50;
    for (let i = 0; i < 50; i++) await c.zadd("delayed", due + i, `job:${i}`);
    const taken = [];
    const pollers = Array.from({ length: 3 }, async () => {
      while (taken.length < 50) {
        for (const job of await c.zrangebyscore("delayed", "-inf", Date.now(), "LIMIT", 0, 5)) {
          if ((await c.zrem("delayed", job)) === 1) taken.push(job);
        }
        await sleep(2);
      }
    });
    await Promise.all(pollers);
    assert.equal(new Set(taken).size, 50);
  },
  async rateLimit(c) {
    const allowed = async (who) => {
      const [[, count]] = await c.multi().incr(`rate:${who}`).expire(`rate:${who}`, 1000, "NX").exec();
      return count <= 3;
    };
    const answers = [];
    for (let i = 0; i < 5; i++) answers.push(await allowed("ann"));
    assert.deepEqual(answers, [true, true, true, false, false]);
    assert.ok((await c.ttl("rate:ann")) > 900);
  },
  async sessions(c) {
    await c.hset("session:1", { user: "ann", visits: 1 });
    await c.expire("session:1", 60);
    await c.hincrby("session:1", "visits", 2);
    assert.deepEqual(await c.hgetall("session:1"), { user: "ann", visits: "3" });
    await c.watch("session:1");
    const other = new Redis({ port });
    await other.hset("session:1", "visits", 9);
    assert.equal(await c.multi().hset("session:1", "visits", 0).exec(), null);
    assert.equal(await c.hget("session:1", "visits"), "9");
    await other.quit();
  },
  async messages(c) {
    const own = new Redis({ port });
    const got = [];
    own.on("message", (channel, text) => got.push([channel, text]));
    own.on("pmessage", (pattern, channel, text) => got.push([pattern, channel, text]));
    assert.equal(await own.subscribe("news", "more"), 2);
    assert.equal(await own.psubscribe("n*"), 3);
    assert.equal(await c.publish("news", "hello"), 2);
    await c.publish("more", "again");
    await until(() => got.length >= 3);
    assert.deepEqual(got, [["news", "hello"], ["n*", "news", "hello"], ["more", "again"]]);
    await own.unsubscribe("news", "more");
    await own.punsubscribe("n*");
    assert.equal(await own.ping(), "PONG");
    await own.quit();
  },
};

const tally = new Tally();
for (const [name, program] of Object.entries(programs)) {
  await tally.run(`program ioredis ${name}`, async () => {
    const client = new Redis({ port });
    client.on("error", () => {});
    await client.flushall();
    await program(client);
    await client.quit();
  });
}
tally.close();
