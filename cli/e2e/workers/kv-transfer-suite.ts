/** The KV of a real model from one worker's process to another's, over a kind of transfer that this machine has. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TransferKind } from "#native";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { answerOf, continuation, KvWorker, LENGTH, NOTHING, prefillOf, whyNot } from "./kv-workers.ts";

/** @param kind the value of `--kv-transfer` */
export function kvTransferSuite(kind: TransferKind | "auto"): void {
  const folder = temporaryFolder();

  let prefill: KvWorker | undefined;
  let decode: KvWorker | undefined;
  let missing: string | undefined;

  beforeAll(async () => {
    missing = await whyNot(kind);
    if (missing !== undefined) return;
    [prefill, decode] = await Promise.all([
      KvWorker.start(folder, `prefill-${kind}`, "--role=prefill", `--kv-transfer=${kind}`),
      KvWorker.start(folder, `decode-${kind}`, "--role=decode", `--kv-transfer=${kind}`),
    ]);
  });

  afterAll(async () => {
    await Promise.all([prefill, decode].map((worker) => worker?.process.stop()));
  });

  test("gives the answer of one worker, token for token", async (context) => {
    if (prefill === undefined || decode === undefined) return context.skip(missing);
    const chat = (question: string) => `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;
    const questions = [
      chat("What is the capital of France?"),
      chat(`Tell me about the sea. ${"The sea is deep and blue, and full of fish. ".repeat(15)}`),
    ];
    for (const question of questions) {
      const prompt = await prefill.client.tokenize(question);
      const whole = await answerOf(prefill, prompt);
      const call = await prefillOf(prefill, prompt);
      expect(call.response.kv).toMatchObject({ tokens: prompt.length });
      expect(await prefill.held()).toEqual([1, call.response.kv!.bytes, 0, 0]);
      const answer = await decode.client.generate(continuation(prompt, call));
      expect(answer.transfer).toMatchObject({ outcome: "transferred", bytes: call.response.kv!.bytes });
      expect([...call.tokens, ...answer.tokens]).toEqual(whole.tokens);
      expect(answer).toMatchObject({ finish: whole.finish, transfers: 1 });
      call.cancel();
      await call.ended;
      await expect.poll(() => prefill!.held()).toEqual(NOTHING);
      expect(await decode.held()).toEqual(NOTHING);
      // The KV is now part of its prefix cache.
      const again = await answerOf(decode, prompt);
      expect(again).toMatchObject({ tokens: whole.tokens, cachedTokens: prompt.length - 1 });
    }
    expect(decode.process.stderr + decode.process.stdout).not.toContain("refuses imported KV");
    await decode.process.printed(/KV received request=test tokens=\d+ bytes=\d+ ms=[\d.]+ kind=\S+/);
    await prefill.process.printed(/prefilled request=test tokens=\d+ cached=\d+ bytes=\d+ ms=\d+/);
  });

  test("is what log, health and metrics say", async (context) => {
    if (prefill === undefined || decode === undefined) return context.skip(missing);
    for (const [worker, role] of [
      [prefill, "prefill"],
      [decode, "decode"],
    ] as const) {
      const [, used] = await worker.process.printed(/KV transfer is ready kind=(\S+) choice=\S+/);
      if (kind !== "auto") expect(used).toBe(kind);
      const kvTransfer = { kind: used, choice: expect.any(String), exports: 0, exportBytes: 0 };
      expect(await worker.health()).toMatchObject({ role, kvTransfer });
      expect(await worker.metric("worker_kv_transfer_info")).toEqual({ [`kind="${used}"`]: 1 });
    }
    const transfers = Object.entries(await decode.metric("worker_kv_transfers_total"));
    expect(transfers).toEqual([[expect.stringContaining('outcome="transferred"'), 2]]);
    const [bytes] = Object.values(await decode.metric("worker_kv_transfer_bytes_total"));
    expect(bytes).toBeGreaterThan(1_000_000);
  });

  test("for several requests at the same time gives each its own answer", async (context) => {
    if (prefill === undefined || decode === undefined) return context.skip(missing);
    const texts = ["Red, green and", "One, two, three,", "Monday, Tuesday,", "Once upon a time"];
    const prompts = await Promise.all(texts.map((text) => prefill!.client.tokenize(text)));
    const wanted = [];
    for (const prompt of prompts) wanted.push((await answerOf(prefill, prompt)).tokens);
    const answers = await Promise.all(
      prompts.map(async (prompt) => {
        const call = await prefillOf(prefill!, prompt);
        const { tokens, transfer } = await decode!.client.generate(continuation(prompt, call));
        call.cancel();
        await call.ended;
        expect(transfer!.outcome).toBe("transferred");
        return [...call.tokens, ...tokens];
      }),
    );
    expect(answers).toEqual(wanted);
    expect(answers.every(({ length }) => length === LENGTH)).toBe(true);
    await expect.poll(() => prefill!.held()).toEqual(NOTHING);
    expect(await decode.held()).toEqual(NOTHING);
  });

  test("given back before it is read costs the time to compute the prompt", async (context) => {
    if (prefill === undefined || decode === undefined) return context.skip(missing);
    const prompt = await prefill.client.tokenize("A fox and a crow met by the");
    const whole = await answerOf(prefill, prompt);
    const call = await prefillOf(prefill, prompt);
    call.cancel();
    await expect.poll(() => prefill!.held()).toEqual(NOTHING);
    const answer = await decode.client.generate(continuation(prompt, call));
    expect(answer).toMatchObject({ transfers: 1, transfer: { outcome: "expired" } });
    expect([...call.tokens, ...answer.tokens]).toEqual(whole.tokens);
  });
}
