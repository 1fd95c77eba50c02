import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { openTransferAgent } from "../index.ts";

/** Enough for what the library creates once. */
const WARM_UP = 50;
const AGENTS = 1_000;
/** Resident memory may grow by this much per agent: the sanitizer keeps some of what was freed. A UCX context is larger. */
const BYTES_PER_AGENT = 256 * 2 ** 10;

it("makes and drops a thousand agents without keeping memory, threads or open files", async () => {
  await cycle(WARM_UP);
  const before = usage();
  await cycle(AGENTS);
  const after = usage();
  expect(after.threads).toBeLessThanOrEqual(before.threads + 2);
  expect(after.files).toBeLessThanOrEqual(before.files + 5);
  expect((after.bytes - before.bytes) / AGENTS).toBeLessThan(BYTES_PER_AGENT);
});

/** Each agent registers, connects to the one before it, reads from it and is dropped, every other one mid-transfer. */
async function cycle(count: number): Promise<void> {
  let last = await openTransferAgent({ kind: "nixl", name: "0" });
  for (let index = 1; index <= count; index++) {
    const agent = await openTransferAgent({ kind: "nixl", name: String(index) });
    const remote = await last.allocate(65_536);
    const local = await agent.allocate(65_536);
    remote.buffer!.fill(index);
    const peer = await agent.connect(last.metadata());
    await peer.read({ local, remote: remote.descriptor() });
    expect(local.buffer![65_535]).toBe(index % 256);
    const running = peer.read({ local, remote: remote.descriptor() }).catch(() => {});
    if (index % 2 === 0) await running;
    await last[Symbol.asyncDispose]();
    await running;
    last = agent;
  }
  await last[Symbol.asyncDispose]();
}

function usage(): { threads: number; files: number; bytes: number } {
  global.gc?.();
  return {
    threads: readdirSync("/proc/self/task").length,
    files: readdirSync("/proc/self/fd").length,
    bytes: Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024,
  };
}
