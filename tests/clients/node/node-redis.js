// A session of node-redis, in RESP3 (its default) and RESP2. usage: node node-redis.js PORT UNIX_SOCKET
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createClient, RESP_TYPES } from "redis";
import { Tally } from "./tally.js";

const [port, unix] = [Number(process.argv[2]), process.argv[3]];
const BINARY = Buffer.from([...Array(256).keys(), 13, 10, 0]);
const BYTES = { [RESP_TYPES.BLOB_STRING]: Buffer };

async function connect(options) {
  const client = createClient(options);
  client.on("error", () => {}); // a killed connection reports here, then the client reconnects
  await client.connect();
  return client;
}

const tests = {
  async strings(c) {
    assert.equal(await c.set("s", "one"), "OK");
    assert.equal(await c.get("s"), "one");
    assert.equal(await c.get("none"), null);
    assert.equal(await c.set("s", "two", { condition: "NX" }), null);
    assert.equal(await c.set("s", "two", { GET: true }), "one");
    assert.equal(await c.append("s", "!"), 4);
    assert.equal(await c.getRange("s", 0, 1), "tw");
    assert.equal(await c.getDel("s"), "two!");
    assert.equal(await c.incrBy("n", 41), 41);
    assert.equal(await c.incr("n"), 42);
    assert.equal(Number(await c.incrByFloat("f", 0.5)), 0.5);
    assert.equal(await c.mSet({ a: "1", b: "2" }), "OK");
    assert.deepEqual(await c.mGet(["a", "none", "b"]), ["1", null, "2"]);
  },
  async keysAndExpiry(c) {
    await c.set("k", "v", { expiration: { type: "EX", value: 100 } });
    assert.ok((await c.ttl("k")) > 60);
    assert.equal(await c.persist("k"), 1);
    assert.equal(await c.ttl("k"), -1);
    assert.equal(await c.expire("k", 50, "NX"), 1);
    assert.equal(await c.type("k"), "string");
    assert.equal(await c.rename("k", "l"), "OK");
    assert.deepEqual([await c.exists(["k", "l"]), await c.del("l"), await c.dbSize()], [1, 1, 0]);
    await c.pExpire("l", 10);
    await c.set("gone", "x", { expiration: { type: "PX", value: 20 } });
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(await c.get("gone"), null);
  },
  async scan(c) {
    await Promise.all(Array.from({ length: 3000 }, (_, i) => c.set(`scan:${i}`, String(i))));
    const seen = new Set();
    for await (const batch of c.scanIterator({ MATCH: "scan:*", COUNT: 200 })) batch.forEach((k) => seen.add(k));
    assert.equal(seen.size, 3000);
  },
  async pipelines(c) {
    const replies = await Promise.all(Array.from({ length: 5000 }, () => c.incr("counter")));
    assert.deepEqual(replies, Array.from({ length: 5000 }, (_, i) => i + 1));
  },
  async binaryAndLarge(c) {
    const bytes = c.withTypeMapping(BYTES);
    await c.set(BINARY, BINARY);
    assert.ok(BINARY.equals(await bytes.get(BINARY)));
    const value = randomBytes(10 << 20);
    await c.set("large", value);
    assert.equal(await c.strLen("large"), value.length);
    assert.ok(value.equals(await bytes.get("large")));
  },
  async databases(c, options) {
    const other = await connect({ ...options, database: 3 });
    await c.set("here", "0");
    assert.equal(await other.get("here"), null);
    await other.set("there", "3");
    assert.equal(await c.move("here", 3), 1);
    assert.equal(await other.dbSize(), 2);
    await other.flushDb();
    await other.close();
    await assert.rejects(connect({ ...options, database: 1000, socket: { port, reconnectStrategy: false } }), /out of range/);
  },
  async introspection(c) {
    await c.clientSetName("node");
    const info = await c.clientInfo();
    assert.equal(info.name, "node");
    assert.equal(info.id, await c.clientId());
    assert.ok((await c.clientList()).some((x) => x.id === info.id));
    assert.match(await c.info("server"), /redis_version:\d/);
    assert.ok((await c.commandCount()) > 50);
    const [get] = await c.commandInfo(["get"]);
    assert.equal(get.arity, 2);
    assert.deepEqual(await c.configGet("maxclients"), { maxclients: (await c.configGet("maxclients")).maxclients });
    assert.equal(await c.configSet("timeout", "0"), "OK");
    assert.equal(await c.ping(), "PONG");
    assert.equal(await c.echo("hi"), "hi");
  },
  async errors(c) {
    await assert.rejects(c.sendCommand(["NOSUCH", "x"]), /unknown command 'NOSUCH'/);
    await assert.rejects(c.sendCommand(["GET"]), /wrong number of arguments/);
    await c.set("word", "x");
    await assert.rejects(c.incr("word"), /not an integer/);
    assert.equal(await c.get("word"), "x");
  },
  async reconnect(c, options) {
    const victim = await connect(options);
    await c.set("kept", "yes");
    const back = new Promise((resolve) => victim.once("ready", resolve));
    await c.sendCommand(["CLIENT", "KILL", "ID", String(await victim.clientId())]);
    await back;
    assert.equal(await victim.get("kept"), "yes");
    await victim.close();
  },
  async unix(c, options) {
    const local = await connect({ RESP: options.RESP, socket: { path: unix, tls: false } });
    await c.set("over", "unix");
    assert.equal(await local.get("over"), "unix");
    await local.close();
  },
};

const tally = new Tally();
for (const RESP of [3, 2]) {
  const options = { RESP, socket: { port } };
  for (const [name, test] of Object.entries(tests)) {
    await tally.run(`node-redis resp${RESP} ${name}`, async () => {
      const client = await connect(options);
      await client.flushAll();
      await test(client, options);
      await client.close();
    });
  }
}
tally.close();
