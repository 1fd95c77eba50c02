import { expect, test } from "vitest";
import { metric } from "../metrics.ts";
import { Pools } from "./pools.ts";

/** What prefill and decode engines of every kind do. @param kind of engine @returns the engines */
export function poolsSuite(kind: string): Pools {
  const pools = new Pools(kind);

  test("answers equal those of one engine, and every prompt is handed over once", async () => {
    // The table of engines shows their roles.
    for (const role of ["(prefill)", "(decode)"]) expect(pools.stator.stdout).toContain(role);
    await pools.runAll();
    await pools.expectSettled();
    expect(await pools.kv()).toMatchObject({ read: 32, expired: 0 });
    await expect.poll(() => pools.prefills("remote")).toBe(32);
    expect(await pools.prefills("fallback")).toBe(0);
    const headers = await pools.askOne();
    expect(pools.prefill.map(({ name }) => name)).toContain(headers.get("x-stator-prefill-worker"));
    expect(pools.decode.map(({ name }) => name)).toContain(headers.get("x-stator-worker"));
    // A prefill engine may end its own answer after the decode engine.
    await expect.poll(() => metric(pools.url, "stator_remote_prefill_seconds_count")).toBe(33);
  });

  test("a client's own parameters for transfers reach no engine", async () => {
    await pools.askOne(33, {
      kv_transfer_params: { do_remote_prefill: true },
      disaggregated_params: { request_type: "generation_only" },
      bootstrap_room: 1,
      vllm_xargs: { kv_transfer_params: { do_remote_prefill: true } },
    });
    await pools.runAll();
    await pools.expectSettled();
    expect(pools.stator.stdout + pools.stator.stderr).toMatch(
      /removed a client's fields .*kv_transfer_params/,
    );
  });

  return pools;
}
