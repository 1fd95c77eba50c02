import { execFile } from "node:child_process";
import { promisify } from "node:util";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { startUp } from "../cli/e2e/stator-process.ts";

const run = promisify(execFile);

test("chat.ts streams an answer", async () => {
  const stator = startUp("--workers=1");
  const { stdout } = await run(process.execPath, ["examples/chat.ts"], {
    env: { ...process.env, OPENAI_BASE_URL: `${await stator.url()}/v1` },
  });
  expect(stdout).toBe("The capital of France is Paris.\n");
  expect(await stator.stop()).toBe(0);
});

test("router.ts decides, and continues from a snapshot", async () => {
  const { stdout } = await run(process.execPath, ["examples/router.ts"]);
  expect(stdout).toContain("worker 1 has 4 of the prompt's 6 blocks\n");
  expect(stdout).toContain("after an eviction: worker 0 has 0, worker 1 has 3\n");
});

test("custom-worker.ts answers through the gateway", async () => {
  const stator = startUp("--engine=examples/custom-worker.ts", "--workers=1");
  const openai = new OpenAI({ baseURL: `${await stator.url()}/v1`, apiKey: "none", maxRetries: 0 });
  // Its own name, not the file's.
  expect(stator.stdout).toContain("Stator serves parrot at ");
  expect(stator.stdout).toContain(`-d '{"model":"parrot",`);
  const create = (max_tokens: number) =>
    openai.chat.completions.create({
      model: "parrot",
      messages: [{ role: "user", content: "Hi" }],
      max_tokens,
    });
  expect((await create(100)).choices[0]).toMatchObject({
    message: { content: "Hello from an engine of your own." },
    finish_reason: "stop",
  });
  expect((await create(5)).choices[0]).toMatchObject({
    message: { content: "Hello" },
    finish_reason: "length",
  });
  expect(await stator.stop()).toBe(0);
});

test("text-worker.ts answers through the gateway", async () => {
  const stator = startUp("--engine=examples/text-worker.ts", "--workers=1");
  const openai = new OpenAI({ baseURL: `${await stator.url()}/v1`, apiKey: "none", maxRetries: 0 });
  const messages = [{ role: "user" as const, content: "one two three" }];
  const { choices, usage } = await openai.chat.completions.create({ model: "backwards", messages });
  expect(choices[0]).toMatchObject({ message: { content: "three two one " }, finish_reason: "stop" });
  expect(usage).toMatchObject({ prompt_tokens: 13, completion_tokens: 15 });
  const stream = await openai.chat.completions.create({
    model: "default",
    messages,
    max_tokens: 7,
    stream: true,
  });
  const words: string[] = [];
  for await (const { choices } of stream) words.push(choices[0]?.delta.content ?? "");
  expect(words.filter((word) => word !== "")).toEqual(["three ", "t"]);
  expect(await stator.stop()).toBe(0);
});

const multimodal = async (...args: string[]) =>
  (await run(process.execPath, ["examples/multimodal/main.ts", ...args])).stdout;

test("multimodal shows who encodes, prefills and decodes a picture, and encodes it once", async () => {
  const steps = (await multimodal("image", "--separated"))
    .split("\n")
    .filter((line) => line.startsWith("  ["));
  expect(steps.slice(0, 4)).toEqual([
    "  [encode] encoded image",
    "  [prefill] prefilled a prompt of 296 tokens, with embedding",
    "  [decode] decoded a prompt of 296 tokens, with image",
    "  [decode] answered a prompt of 296 tokens, with image",
  ]);
  expect(steps.filter((line) => line.includes("encoded"))).toHaveLength(2);
});

test("multimodal's processor samples frames and resamples sound before an engine gets them", async () => {
  const output = await multimodal("processor");
  expect(output).toMatch(
    /sampled 4 of 16 frames\n.*answered a prompt of \d+ tokens, with image, image, image, image\n/,
  );
  expect(output).toMatch(
    /resampled 2\.0 s of sound to 16000 Hz\n.*answered a prompt of \d+ tokens, with audio\n/,
  );
});
