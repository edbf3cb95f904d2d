// What people write on top of Redis, with node-redis. usage: node programs-node-redis.js PORT UNIX_SOCKET
import assert from "node:assert/strict";
import { BasicClientSideCache, createClient } from "redis";
import { Tally, until } from "./tally.js";

const port = Number(process.argv[2]);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let RESP = 3;

async function connect() {
  const client = createClient({ socket: { port }, RESP });
  client.on("error", () => {});
  await client.connect();
  return client;
}

const programs = {
  async cacheWithTtl(c) {
    await c.set("cache:ann", "ANN", { expiration: { type: "PX", value: 100_000 } });
    assert.equal(await c.get("cache:ann"), "ANN");
    assert.equal(await c.pExpire("cache:ann", 20), 1);
    await sleep(60);
    assert.equal(await c.get("cache:ann"), null);
    await c.hSet("cache:h", { a: 1, b: 2 });
    assert.deepEqual({ ...(await c.hGetAll("cache:h")) }, { a: "1", b: "2" });
    assert.deepEqual(await c.hExists("cache:h", "b"), 1);
  },
  async listQueue(c) {
    const done = [];
    const workers = Array.from({ length: 3 }, async () => {
      const own = await connect();
      for (;;) {
        const got = await own.brPop("jobs", 100);
        if (got === null || got.element === "stop") break;
        done.push(got.element);
      }
      await own.close();
    });
    await Promise.all(Array.from({ length: 400 }, (_, i) => c.lPush("jobs", `job:${i}`)));
    for (let i = 0; i < 3; i++) await c.lPush("jobs", "stop");
    await Promise.all(workers);
    assert.equal(done.length, 400);
    assert.equal(new Set(done).size, 400);
    await c.rPush("a", ["1", "2", "3"]);
    const own = await connect();
    assert.equal(await own.blMove("a", "b", "LEFT", "RIGHT", 100), "1");
    await own.close();
    assert.deepEqual(await c.lRange("b", 0, -1), ["1"]);
  },
  async streamWorkers(c) {
    await c.xGroupCreate("events", "billing", "0", { MKSTREAM: true });
    const ids = [];
    for (let i = 0; i < 100; i++) ids.push(await c.xAdd("events", "*", { n: String(i) }));
    await c.xReadGroup("billing", "mortal", { key: "events", id: ">" }, { COUNT: 20 });
    const seen = new Set();
    for (;;) {
      const got = await c.xReadGroup("billing", "steady", { key: "events", id: ">" }, { COUNT: 30, BLOCK: 100 });
      if (got === null) break;
      const messages = Array.isArray(got) ? got[0].messages : Object.values(got)[0].map((m) => m);
      for (const message of messages) {
        seen.add(message.id);
        await c.xAck("events", "billing", message.id);
      }
    }
    const { messages } = await c.xAutoClaim("events", "billing", "steady", 0, "0-0", { COUNT: 100 });
    messages.forEach((message) => seen.add(message.id));
    assert.equal(await c.xAck("events", "billing", messages.map((m) => m.id)), 20);
    assert.deepEqual([...seen].sort(), [...ids].sort());
    assert.equal(await c.xLen("events"), 100);
  },
  async leaderboard(c) {
    await c.zAdd("board", Array.from({ length: 300 }, (_, i) => ({ score: i * 10, value: `player:${i}` })));
    assert.equal(await c.zIncrBy("board", 10000, "player:3"), 10030);
    assert.deepEqual(await c.zRangeWithScores("board", 0, 0, { REV: true }), [{ value: "player:3", score: 10030 }]);
    assert.equal(await c.zRevRank("board", "player:299"), 1);
    assert.deepEqual(await c.zRange("board", "(2970", "+inf", { BY: "SCORE", LIMIT: { offset: 0, count: 2 } }), ["player:298", "player:299"]);
  },
  async delayedJobs(c) {
    const due = Date.now() + 50;
    await c.zAdd("delayed", Array.from({ length: 50 }, (_, i) => ({ score: due + i, value: `job:${i}` })));
    const taken = [];
    const pollers = Array.from({ length: 3 }, async () => {
      while (taken.length < 50) {
        for (const job of await c.zRangeByScore("delayed", "-inf", Date.now(), { LIMIT: { offset: 0, count: 5 } })) {
          if ((await c.zRem("delayed", job)) === 1) taken.push(job);
        }
        await sleep(2);
      }
    });
    await Promise.all(pollers);
    assert.equal(new Set(taken).size, 50);
  },
  async rateLimit(c) {
    const answers = [];
    for (let i = 0; i < 5; i++) {
      const [count] = await c.multi().incr("rate").expire("rate", 1000, "NX").exec();
      answers.push(count <= 3);
    }
    assert.deepEqual(answers, [true, true, true, false, false]);
  },
  async sessions(c) {
    await c.hSet("session:1", { user: "ann", visits: "1" });
    await c.expire("session:1", 60);
    assert.equal(await c.hIncrBy("session:1", "visits", 2), 3);
    await c.sAdd("online", ["1", "2"]);
    assert.deepEqual((await c.sMembers("online")).sort(), ["1", "2"]);
    const own = await connect();
    await own.watch("session:1");
    await c.hSet("session:1", "visits", "9");
    await assert.rejects(own.multi().hSet("session:1", "visits", "0").exec());
    assert.equal(await c.hGet("session:1", "visits"), "9");
    await own.close();
  },
  async messages(c) {
    const own = await connect();
    const got = [];
    await own.subscribe("news", (text, channel) => got.push([channel, text]));
    await own.pSubscribe("n*", (text, channel) => got.push(["n*", channel, text]));
    assert.equal(await c.publish("news", "hello"), 2);
    await until(() => got.length >= 2);
    assert.deepEqual(got, [["news", "hello"], ["n*", "news", "hello"]]);
    await own.unsubscribe();
    await own.pUnsubscribe();
    assert.equal(String(await own.ping()), "PONG");
    await own.close();
  },
  async clientSideCaching(c) {
    if (RESP !== 3) return;
    const clientSideCache = new BasicClientSideCache();
    const own = createClient({ socket: { port }, RESP, clientSideCache });
    own.on("error", () => {});
    await own.connect();
    await c.set("a", "1");
    assert.equal(await own.get("a"), "1");
    assert.equal(await own.get("a"), "1");
    assert.equal(clientSideCache.stats().hitCount, 1);
    await c.set("a", "2");
    await until(async () => (await own.get("a")) === "2");
    await c.flushAll();
    await until(async () => (await own.get("a")) === null);
    await own.close();
  },
};

const tally = new Tally();
for (RESP of [3, 2]) {
  for (const [name, program] of Object.entries(programs)) {
    await tally.run(`program node-redis RESP${RESP} ${name}`, async () => {
      const client = await connect();
      await client.flushAll();
      await program(client);
      await client.close();
    });
  }
}
tally.close();
