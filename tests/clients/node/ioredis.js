// A session of ioredis (RESP2 in its handshake). usage: node ioredis.js PORT UNIX_SOCKET
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { Tally } from "./tally.js";

const [port, unix] = [Number(process.argv[2]), process.argv[3]];

const tests = {
  async strings(c) {
    assert.equal(await c.set("s", "one", "EX", 100), "OK");
    assert.equal(await c.get("s"), "one");
    assert.equal(await c.set("s", "two", "NX"), null);
    assert.equal(await c.set("s", "two", "GET"), "one");
    assert.equal(await c.incrby("n", 5), 5);
    assert.equal(await c.decr("n"), 4);
    assert.equal(await c.incrbyfloat("f", "3.25"), "3.25");
    assert.equal(await c.mset({ a: "1", b: "2" }), "OK");
    assert.deepEqual(await c.mget("a", "none", "b"), ["1", null, "2"]);
    assert.equal(await c.getex("a", "EX", 600), "1");
    assert.ok((await c.ttl("a")) > 500);
    assert.equal(await c.setrange("z", 3, "x"), 4);
    assert.deepEqual(await c.getBuffer("z"), Buffer.from([0, 0, 0, 120]));
  },
  async keysAndExpiry(c) {
    await c.set("k", "v", "PX", 30);
    assert.ok((await c.pttl("k")) <= 30);
    await new Promise((resolve) => setTimeout(resolve, 80));
    assert.equal(await c.exists("k"), 0);
    await c.mset("a", 1, "b", 2, "c", 3);
    assert.deepEqual((await c.keys("[ab]")).sort(), ["a", "b"]);
    assert.equal(await c.rename("a", "d"), "OK");
    assert.equal(await c.unlink("b", "c", "none"), 2);
    assert.equal(await c.expire("d", 100), 1);
    assert.equal(await c.object("ENCODING", "d"), "int");
    assert.equal(await c.copy("d", "e"), 1);
    assert.ok((await c.ttl("e")) > 60);
  },
  async scan(c) {
    const pipe = c.pipeline();
    for (let i = 0; i < 3000; i++) pipe.set(`scan:${i}`, i);
    await pipe.exec();
    const seen = new Set();
    for await (const batch of c.scanStream({ match: "scan:*", count: 300 })) batch.forEach((k) => seen.add(k));
    assert.equal(seen.size, 3000);
  },
  async pipelines(c) {
    const pipe = c.pipeline();
    for (let i = 0; i < 5000; i++) pipe.incr("n");
    pipe.set("word", "x").incr("word").get("word");
    const replies = await pipe.exec();
    assert.deepEqual(replies.slice(0, 5000), Array.from({ length: 5000 }, (_, i) => [null, i + 1]));
    assert.match(replies[5001][0].message, /not an integer/);
    assert.deepEqual(replies[5002], [null, "x"]);
  },
  async autoPipelining() {
    const c = new Redis({ port, enableAutoPipelining: true });
    const replies = await Promise.all(Array.from({ length: 1000 }, (_, i) => c.set(`auto:${i}`, i)));
    assert.ok(replies.every((x) => x === "OK"));
    assert.equal(await c.get("auto:999"), "999");
    await c.quit();
  },
  async binaryAndLarge(c) {
    const value = randomBytes(10 << 20);
    const key = Buffer.from([0, 255, 13, 10, 128]);
    await c.set(key, value);
    assert.ok(value.equals(await c.getBuffer(key)));
    assert.equal(await c.strlen(key), value.length);
  },
  async databases(c) {
    const other = new Redis({ port, db: 5 });
    await c.set("here", "0");
    assert.equal(await other.get("here"), null);
    await other.set("there", "5");
    await c.select(5);
    assert.equal(await c.get("there"), "5");
    await other.quit();
  },
  async introspection(c) {
    assert.equal(await c.client("SETNAME", "io"), "OK");
    assert.equal(await c.client("GETNAME"), "io");
    assert.match(await c.client("LIST"), /name=io /);
    assert.match(await c.info(), /redis_version:\d/);
    assert.deepEqual(await c.config("GET", "maxclients"), ["maxclients", (await c.config("GET", "maxclients"))[1]]);
    const [[name, arity]] = await c.command("INFO", "GET");
    assert.deepEqual([name, arity], ["get", 2]);
    assert.deepEqual(await c.command("GETKEYS", "MGET", "x", "y"), ["x", "y"]);
  },
  async errors(c) {
    await assert.rejects(c.call("NOSUCH", "x"), /unknown command 'NOSUCH'/);
    await assert.rejects(c.call("GET"), /wrong number of arguments for 'get'/);
    await c.set("word", "x");
    await assert.rejects(c.incr("word"), /not an integer/);
  },
  async reconnect(c) {
    const victim = new Redis({ port, connectionName: "victim" });
    await c.set("kept", "yes");
    const id = await victim.client("ID");
    const closed = new Promise((resolve) => victim.once("close", resolve));
    assert.equal(await c.client("KILL", "ID", id), 1);
    await closed;
    assert.equal(await victim.get("kept"), "yes");
    assert.equal(await victim.client("GETNAME"), "victim");
    await victim.quit();
  },
  async unix(c) {
    const local = new Redis(unix);
    await c.set("over", "unix");
    assert.equal(await local.get("over"), "unix");
    await local.quit();
  },
};

const tally = new Tally();
for (const [name, test] of Object.entries(tests)) {
  await tally.run(`ioredis ${name}`, async () => {
    const client = new Redis({ port });
    client.on("error", () => {});
    await client.flushall();
    await test(client);
    await client.quit();
  });
}
tally.close();
