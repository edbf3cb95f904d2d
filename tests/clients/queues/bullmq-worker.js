// A worker process of bullmq.js. usage: node bullmq-worker.js PORT QUEUE NAME [LIMIT_PER_SECOND]
// Tells by `hand:NAME` which jobs it has in hand, and by `done` how often each was done.
import { Worker } from "bullmq";
import { Redis } from "ioredis";

const [port, queue, name, limit] = process.argv.slice(2);
const connection = { port: Number(port), maxRetriesPerRequest: null };
const own = new Redis(connection);

async function work(job) {
  await own.sadd(`hand:${name}`, job.id);
  if (job.data.failsUntil > job.attemptsMade) throw new Error("not yet");
  if (job.data.takesMs) await new Promise((resolve) => setTimeout(resolve, job.data.takesMs));
  const children = job.data.sums ? Object.values(await job.getChildrenValues()) : [];
  await own.multi().hincrby("done", job.id, 1).rpush("order", job.id).exec();
  return (job.data.n ?? 0) + children.reduce((sum, n) => sum + n, 0);
}

const options = { connection, concurrency: 25, lockDuration: 1500, stalledInterval: 500, maxStalledCount: 3 };
if (limit) options.limiter = { max: Number(limit), duration: 1000 };
const worker = new Worker(queue, work, options);
worker.on("error", (error) => console.error(`${name}: ${error}`));
// In hand until the server has been told: who is killed before that has the job done again.
worker.on("completed", (job) => own.srem(`hand:${name}`, job.id));
worker.on("failed", (job) => own.srem(`hand:${name}`, job?.id ?? ""));
await worker.waitUntilReady();
process.send?.("ready");
process.on("SIGTERM", async () => {
  await worker.close();
  await own.quit();
  process.exit(0);
});
