import { expect, test } from "vitest";
import { createLogger } from "#runtime";
import { requestFor } from "../workers/engine.suite.ts";
import { startTestingWorker } from "../workers/kv/testing-worker.ts";
import definition from "./kv-worker.ts";

test("kv-worker.ts reads a prompt on one worker and answers on another one", async () => {
  const log = createLogger({ name: "test", level: "error" });
  const [prefill, decode] = await Promise.all(
    (["prefill", "decode"] as const).map(async (role) =>
      startTestingWorker(await definition.open({ log, threads: 1, options: {} }), { role }),
    ),
  );
  const prompt = await prefill!.client.tokenize("It was a dark and stormy night; ");
  const whole = await decode!.client.generate(requestFor(prompt, { maxTokens: 12 }));
  expect(new Set(whole.tokens).size).toBeGreaterThan(3);
  const call = await prefill!.client.prefill(requestFor(prompt, { maxTokens: 12 }));
  const tokens = Uint32Array.from([...prompt, ...call.tokens]);
  const answer = await decode!.client.generate(
    requestFor(tokens, { maxTokens: 11, kvSource: call.response.kv! }),
  );
  expect(answer).toMatchObject({ finish: "length", transfer: { outcome: "transferred", bytes: 4 } });
  expect([...call.tokens, ...answer.tokens]).toEqual(whole.tokens);
  call.cancel();
  await Promise.all([prefill!.stop(), decode!.stop()]);
});
