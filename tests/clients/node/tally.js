// Counts checks as tests/harness.py does: one line each and a closing line.
import { performance } from "node:perf_hooks";

export class Tally {
  passed = 0;
  failed = 0;

  async run(name, test, limitMs = 300_000) {
    const begin = performance.now();
    const seconds = () => `(${((performance.now() - begin) / 1000).toFixed(1)} s)`;
    try {
      await within(limitMs, test());
      this.passed += 1;
      console.log(`ok    ${name} ${seconds()}`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAIL  ${name} ${seconds()}: ${String(error.stack).split("\n").slice(0, 4).join(" ")}`);
    }
  }

  close() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exit(this.failed === 0 ? 0 : 1);
  }
}

// Waits for what another connection brings about.
export async function until(check, limitMs = 100_000) {
  const end = performance.now() + limitMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function within(limitMs, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${limitMs} ms`)), limitMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
