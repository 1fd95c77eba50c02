import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openTransferAgent } from "../index.ts";

const PARTS = 10;
const AGENTS_PER_PART = 100;
/** Resident memory may grow by this much per agent: the sanitizer keeps some of what was freed. A UCX context is larger. */
const BYTES_PER_AGENT = 256 * 2 ** 10;

describe("a thousand agents, made and dropped", () => {
  /** After the first part, which also pays for what the library creates once. */
  let first: Usage;

  it.each(Array.from({ length: PARTS }, (_, part) => part * AGENTS_PER_PART))(
    "leave no memory, threads or open files behind (from %i)",
    async (start) => {
      await cycle(AGENTS_PER_PART);
      const now = usage();
      first ??= now;
      expect(now.threads).toBeLessThanOrEqual(first.threads + 2);
      expect(now.files).toBeLessThanOrEqual(first.files + 5);
      expect(now.bytes - first.bytes).toBeLessThanOrEqual(start * BYTES_PER_AGENT);
    },
  );
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

interface Usage {
  readonly threads: number;
  readonly files: number;
  readonly bytes: number;
}

function usage(): Usage {
  return {
    threads: readdirSync("/proc/self/task").length,
    files: readdirSync("/proc/self/fd").length,
    bytes: Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024,
  };
}
