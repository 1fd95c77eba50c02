/**
 * What can go wrong while a real model's KV travels between two processes: the answer is that of one worker, and neither
 * side holds anything afterwards.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KvSource, type KvTransfer, PlaneError } from "#runtime";
import { stall } from "../../../scripts/testing/stall.ts";
import { StatorProcess } from "../stator-process.ts";
import { answerOf, continuation, KvWorker, NOTHING, prefillOf } from "./kv-workers.ts";

let folder: string;
let prefill: KvWorker;
let decode: KvWorker;

const startPrefill = (...args: string[]) =>
  KvWorker.start(folder, "prefill", "--role=prefill", "--kv-transfer=tcp", ...args);
const startDecode = (...args: string[]) =>
  KvWorker.start(
    ...[folder, "decode", "--role=decode", "--kv-transfer=tcp", `--kv-transfer-timeout=${15 * stall()}`],
    ...args,
  );

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "stator-test-"));
  [prefill, decode] = await Promise.all([startPrefill(), startDecode()]);
});

afterAll(async () => {
  await Promise.all([prefill, decode].map((worker) => worker.process.stop()));
  rmSync(folder, { recursive: true });
});

/** A prompt that no worker has in its cache. */
let prompts = 0;
const newPrompt = () => prefill.client.tokenize(`Story number ${++prompts}: A fox and a crow met by the`);

const notReceived = (outcome: KvTransfer["outcome"]) => ({ transfers: 1, transfer: { outcome } });

describe("the decode worker computes the prompt", () => {
  const KINDS: [string, KvTransfer["outcome"], (kv: KvSource) => Partial<KvSource>][] = [
    ["of another format", "format", () => ({ format: "llama.cpp v0.0.0" })],
    ["of fewer tokens", "format", ({ tokens }) => ({ tokens: tokens - 1 })],
    ["of more tokens than the prompt", "refused", ({ tokens }) => ({ tokens: tokens + 1 })],
    ["of another size", "failed", ({ bytes }) => ({ bytes: bytes + 1 })],
    [
      "that was freed, and its place used for other KV",
      "expired",
      ({ memory }) => ({ memory: otherId(memory) }),
    ],
    [
      "in memory that is not described properly",
      "refused",
      ({ memory }) => ({ memory: memory.slice(0, 30) }),
    ],
    ["of an agent that is not described properly", "refused", () => ({ agent: Uint8Array.of(1, 2, 3) })],
  ];

  const otherId = (memory: Uint8Array) => memory.map((byte, index) => (index < 16 ? byte ^ 1 : byte));

  test.each(KINDS)("instead of KV %s", async (_, outcome, change) => {
    const prompt = await newPrompt();
    const whole = await answerOf(prefill, prompt);
    const call = await prefillOf(prefill, prompt);
    const answer = await decode.client.generate(continuation(prompt, call, change(call.response.kv!)));
    expect(answer).toMatchObject(notReceived(outcome));
    expect([...call.tokens, ...answer.tokens]).toEqual(whole.tokens);
    call.cancel();
    await call.ended;
    await expect.poll(() => prefill.held()).toEqual(NOTHING);
    expect(await decode.held()).toEqual(NOTHING);
  });

  test("if the prefill worker stands still, and gets its answer after it goes on", async () => {
    const prompt = await newPrompt();
    const whole = await answerOf(prefill, prompt);
    const call = await prefillOf(prefill, prompt);
    prefill.process.signal("SIGSTOP");
    const answer = await decode.client.generate(continuation(prompt, call));
    prefill.process.signal("SIGCONT");
    expect(answer).toMatchObject(notReceived("stalled"));
    expect([...call.tokens, ...answer.tokens]).toEqual(whole.tokens);
    expect(await decode.held()).toEqual(NOTHING);
    // The end of its connection frees the KV too.
    await prefill.reconnect();
    expect(await call.ended).toBeInstanceOf(PlaneError);
    await expect.poll(() => prefill.held()).toEqual(NOTHING);
  });
});

describe("a prefill worker that is killed", () => {
  /** Another one takes its place afterwards. */
  async function lost(when: "before" | "during" | "after") {
    const prompt = await newPrompt();
    const whole = await answerOf(prefill, prompt);
    const call = await prefillOf(prefill, prompt);
    const victim = prefill;
    if (when === "before") await victim.kill();
    if (when === "during") victim.process.signal("SIGSTOP");
    const first = Promise.withResolvers<void>();
    const request = { ...continuation(prompt, call), requestId: `lost-${when}` };
    const answering = decode.client.generate(request, () => first.resolve());
    if (when === "during") {
      await decode.process.printed(/reading KV request=lost-during/);
      await victim.kill();
    }
    if (when === "after") {
      await first.promise;
      await victim.kill();
    }
    const answer = await answering;
    expect([...call.tokens, ...answer.tokens]).toEqual(whole.tokens);
    expect(await call.ended).toMatchObject({ code: "connection_lost" });
    expect(await decode.held()).toEqual(NOTHING);
    prefill = await startPrefill();
    return answer;
  }

  test("before the transfer costs the time to compute the prompt", async () => {
    expect(await lost("before")).toMatchObject(notReceived("unreachable"));
  });

  test("during the transfer does so too", async () => {
    expect(await lost("during")).toMatchObject(notReceived("unreachable"));
  });

  test("after the transfer is no longer needed", async () => {
    expect(await lost("after")).toMatchObject(notReceived("transferred"));
  });
});

describe("a decode worker that is killed", () => {
  test.each(["before", "after"])("%s the transfer leaves the KV to its client", async (when) => {
    const prompt = await newPrompt();
    const whole = await answerOf(prefill, prompt);
    const call = await prefillOf(prefill, prompt);
    if (when === "before") await decode.kill();
    const first = Promise.withResolvers<void>();
    const answering = decode.client.generate(continuation(prompt, call), () => first.resolve());
    const failed = expect(answering).rejects.toMatchObject({ code: "connection_lost" });
    if (when === "after") {
      await first.promise;
      await decode.kill();
    }
    await failed;
    // Its client can send the same request to another one.
    decode = await startDecode();
    const answer = await decode.client.generate(continuation(prompt, call));
    expect(answer.transfer).toMatchObject({ outcome: "transferred" });
    expect([...call.tokens, ...answer.tokens]).toEqual(whole.tokens);
    call.cancel();
    await call.ended;
    await expect.poll(() => prefill.held()).toEqual(NOTHING);
    expect(await decode.held()).toEqual(NOTHING);
  });
});

test("a lease that runs out frees the KV, and its reader computes the prompt", async () => {
  await prefill.process.stop();
  prefill = await startPrefill("--kv-lease=0.2");
  const prompt = await newPrompt();
  const whole = await answerOf(prefill, prompt);
  const call = await prefillOf(prefill, prompt);
  expect(await call.ended).toMatchObject({ code: "deadline_exceeded" });
  expect(await prefill.held()).toEqual(NOTHING);
  expect(await prefill.metric("worker_kv_exports_ended_total")).toEqual({ 'end="expired"': 1 });
  const answer = await decode.client.generate(continuation(prompt, call));
  expect(answer).toMatchObject(notReceived("expired"));
  expect([...call.tokens, ...answer.tokens]).toEqual(whole.tokens);
  expect(await decode.held()).toEqual(NOTHING);
});

test("a worker that changes its role goes on with what it holds", async () => {
  await prefill.process.stop();
  prefill = await startPrefill();
  const prompt = await newPrompt();
  const whole = await answerOf(prefill, prompt);
  const call = await prefillOf(prefill, prompt);
  await prefill.client.role("decode");
  await decode.client.role("aggregated");
  expect(await prefill.health()).toMatchObject({ role: "decode" });
  const answer = await decode.client.generate(continuation(prompt, call));
  expect(answer.transfer).toMatchObject({ outcome: "transferred" });
  expect([...call.tokens, ...answer.tokens]).toEqual(whole.tokens);
  call.cancel();
  await call.ended;
  // And it can do what its new role asks of it.
  await decode.client.role("prefill");
  const next = await newPrompt();
  const wanted = await answerOf(decode, next);
  const reverse = await prefillOf(decode, next);
  const other = await prefill.client.generate(continuation(next, reverse));
  expect(other.transfer).toMatchObject({ outcome: "transferred" });
  expect([...reverse.tokens, ...other.tokens]).toEqual(wanted.tokens);
  reverse.cancel();
  await reverse.ended;
  await expect.poll(() => decode.held()).toEqual(NOTHING);
});

test("engines that cannot exchange KV are refused a role at the start", async () => {
  for (const role of ["prefill", "decode"]) {
    const discovery = `--discovery=file:${join(folder, "refused")}`;
    const worker = new StatorProcess(["worker", "echo", `--role=${role}`, discovery, "--config=none"]);
    await worker.printed(new RegExp(`The engine 'echo' cannot have the role '${role}', because it cannot`));
    expect(await worker.ended()).toBe(2);
  }
});
