import { describe, expect, test } from "vitest";
import { ask } from "../access/attached.ts";
import { poolsSuite } from "./pools-suite.ts";

// What SGLang does otherwise than vLLM: see disaggregated-vllm.slow.test.ts.

describe("sglang", () => {
  const pools = poolsSuite("sglang");

  test("a request that cannot be divided is refused", async () => {
    expect(await pools.chat({ n: 2 })).toMatchObject({
      status: 400,
      body: { error: { code: "not_dividable" } },
    });
  });

  test("an engine that reports another role than its operator's is listed with it", async () => {
    const { body } = await pools.changeRole(pools.decode[0].name, "prefill");
    expect(body.limitations).toContainEqual({
      code: "role",
      what: expect.stringContaining("it reports the role 'decode', but was attached as 'prefill'"),
      flag: "--disaggregation-mode prefill",
    });
  });

  test("the only prefill engine is not set aside for failed requests", async () => {
    const [other, only] = pools.prefill;
    await pools.detach(other);
    await only.faults({ status: 500, share: 1 });
    for (let count = 0; count < 8; count++) expect((await pools.chat()).status).toBe(502);
    await only.faults({});
    expect((await pools.chat()).status).toBe(200);
  });

  test("without a prefill engine, decode engines cannot answer, and all say so", async () => {
    for (const engine of pools.prefill) await pools.detach(engine);
    const health = await ask(`${pools.url}/health`);
    expect(health).toMatchObject({ status: 503, body: { status: "starting" } });
    const { status, body } = await pools.chat();
    expect(status).toBe(503);
    expect(body.error).toMatchObject({
      code: "no_worker_ready",
      message: expect.stringContaining("The model 'tiny' has no prefill worker"),
    });
  });
});
