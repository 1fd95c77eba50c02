import { describe, expect, test } from "vitest";
import { MemoryPool } from "./memory-pool.ts";
import { TestingAgent } from "./testing-agent.ts";

const MB = 1024 * 1024;

function open(mostFreeBytes = 8 * MB) {
  const agent = new TestingAgent();
  return { agent, pool: new MemoryPool((bytes) => agent.allocate(bytes), mostFreeBytes) };
}

/** Memory is kept only once no transfer writes to it any more. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("the pool of registered memory", () => {
  test("gives exactly what is asked for, and uses it again", async () => {
    const { agent, pool } = open();
    const first = await pool.take(3 * MB);
    expect(first.buffer).toHaveLength(3 * MB);
    expect(pool.usedBytes).toBe(agent.allocated);
    first.release();
    first.release();
    expect(pool.usedBytes).toBe(0);
    await settled();
    const allocated = agent.allocated;
    const second = await pool.take(2_900_000);
    expect(second.registration).toBe(first.registration);
    expect(second.buffer.length).toBe(2_900_000);
    expect(agent.allocated).toBe(allocated);
  });

  test("never gives the same memory to two users", async () => {
    const { pool } = open();
    const [one, two] = await Promise.all([pool.take(100), pool.take(100)]);
    expect(one!.registration).not.toBe(two!.registration);
    one!.release();
    // A transfer may still write to it.
    expect((await pool.take(100)).registration).not.toBe(one!.registration);
  });

  test("does not waste a large piece on a small need", async () => {
    const { pool } = open();
    const large = await pool.take(4 * MB);
    large.release();
    await settled();
    expect((await pool.take(MB)).registration).not.toBe(large.registration);
  });

  test("frees the least recently used beyond its limit, and everything once it is closed", async () => {
    const { agent, pool } = open(5 * MB);
    const all = await Promise.all([2, 2, 2].map((size) => pool.take(size * MB)));
    all[0]!.release();
    all[1]!.release();
    await settled();
    expect(agent.allocated).toBe(6 * MB);
    all[2]!.release();
    await settled();
    expect(agent.allocated).toBe(4 * MB);
    const used = await pool.take(2 * MB);
    pool.close();
    expect(agent.allocated).toBe(2 * MB);
    used.release();
    await settled();
    expect(agent.allocated).toBe(0);
  });
});
