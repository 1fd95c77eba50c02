import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StandIn, startLlamaCpp, startSglang, startTensorrtLlm, startVllm } from "#stand-ins";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { refusalOf } from "../refusal.ts";
import { StatorProcess, startUp } from "../stator-process.ts";
import { ask, attach, bearer } from "./attached.ts";
import { keys } from "./key-file.ts";

/** Tokens of a mock worker's block; its tokens are bytes. */
const BLOCK = 64;
const POLICY = `Answer like a pirate${", and never say why".repeat(20)}.`;
const QUESTION = `What is the weather${" like today".repeat(30)}?`;

let folder: string;
let file: string;
let ann: string;
let ben: string;
let cat: string;

beforeAll(async () => {
  folder = temporaryFolder();
  file = join(folder, "keys.yaml");
  await writeFile(join(folder, "policy.txt"), `${POLICY}\n`);
  ann = await keys(file, "add", "ann", "--group=red");
  ben = await keys(file, "add", "ben", "--group=blue");
  cat = await keys(file, "add", "cat", "--group=red");
});

const doctor = async (url: string, one: string, other: string) => {
  const stator = new StatorProcess([
    ...["doctor", url, "--config=none", "--isolation", `--client-keys=${one},${other}`],
  ]);
  return { code: await stator.ended(), text: stator.stdout };
};

describe("with --isolate key, workers", () => {
  let stator: StatorProcess;
  let url: string;

  beforeAll(async () => {
    stator = startUp(
      ...["--engine=mocker", "--workers=1", "--speedup=0", `--keys=${file}`],
      ...["--isolate=key", `--shared-prompts=${join(folder, "policy.txt")}`],
    );
    url = await stator.url();
  });

  afterAll(() => stator.stop());

  const cachedTokens = async (key: string, messages: object[], more: object = {}) => {
    const json = { model: "mocker", messages, max_tokens: 1, ...more };
    const { body, headers } = await ask(`${url}/v1/chat/completions`, {
      json,
      headers: { ...bearer(key), "x-stator-explain": "true" },
    });
    const cached = body.usage?.prompt_tokens_details?.cached_tokens as unknown as number;
    expect(headers.get("x-stator-overlap-blocks")).toBe(String(cached / BLOCK));
    return cached;
  };
  const user = (content: string) => [{ role: "user", content }];

  test("reuse for a key only what it has sent itself, and the router knows", async () => {
    const prompt = user(`First: ${QUESTION}`);
    expect(await cachedTokens(ann, prompt)).toBe(0);
    const own = await cachedTokens(ann, prompt);
    expect(own).toBeGreaterThan(4 * BLOCK);
    expect(await cachedTokens(ben, prompt)).toBe(0);
    expect(await cachedTokens(cat, prompt)).toBe(0);
    expect(await cachedTokens(ben, prompt)).toBe(own);
  });

  test("do not take a client's own salt for that of its key", async () => {
    const prompt = user(`Second: ${QUESTION}`);
    const salt = { cache_salt: "ours" };
    await cachedTokens(ann, prompt, salt);
    expect(await cachedTokens(ben, prompt, salt)).toBe(0);
    expect(await cachedTokens(ann, prompt)).toBeGreaterThan(0);
  });

  test("share a named system prompt, and nothing after it", async () => {
    const chat = (system: string) => [{ role: "system", content: system }, ...user(`Third: ${QUESTION}`)];
    const first = await cachedTokens(ann, chat(POLICY));
    expect(first).toBe(0);
    const shared = await cachedTokens(ben, chat(POLICY));
    expect(shared).toBeGreaterThanOrEqual(POLICY.length - BLOCK);
    expect(shared).toBeLessThanOrEqual(POLICY.length + BLOCK);
    const secret = `${POLICY.slice(0, -1)}${"; the code is 1234".repeat(20)}`;
    await cachedTokens(ann, chat(secret));
    expect(await cachedTokens(ben, chat(secret))).toBeLessThanOrEqual(shared);
  });

  test("pass stator doctor --isolation on every API", async () => {
    const { code, text } = await doctor(url, ann, ben);
    expect(text).toMatch(/ok +chat: .*\n +ok +completions: .*\n +ok +messages: .*\n +ok +responses: /);
    expect([code, text]).toEqual([0, expect.stringContaining("All is well")]);
  });
});

describe("with --isolate group, attached engines", () => {
  const engines: StandIn[] = [];
  let stator: StatorProcess;
  let url: string;

  beforeAll(async () => {
    engines.push(
      await startVllm({ model: "v", kvEvents: {} }),
      await startSglang({ model: "s", reportsCachedTokens: true }),
      await startTensorrtLlm({ model: "t" }),
      await startLlamaCpp({ model: "l" }),
    );
    const flags = [`--keys=${file}`, "--isolate=group"];
    ({ stator, url } = await attach(
      engines.map((engine) => engine.url),
      ...flags,
    ));
  });

  afterAll(async () => {
    await stator.stop();
    await Promise.all(engines.map((engine) => engine.close()));
  });

  test("of all kinds keep groups apart, and not the keys of a group", async () => {
    const apart = await doctor(url, ann, ben);
    expect([apart.code, apart.text]).toEqual([0, expect.stringContaining("All is well")]);
    expect(apart.text).toContain("nothing is shared at all");
    const together = await doctor(url, ann, cat);
    expect([together.code, together.text]).toEqual([1, expect.stringContaining("problems found")]);
    expect(together.text).toContain("give keys of different groups");
  });

  test("get no request that would not be kept apart", async () => {
    const json = { model: "t", prompt: "Hello", max_tokens: 1 };
    const { status, body } = await ask(`${url}/v1/completions`, { json, headers: bearer(ann) });
    expect(status).toBe(400);
    expect(body.error?.message).toContain("none of the model's engines can do there");
  });
});

test("stator doctor --isolation needs two keys", async () => {
  const args = ["http://127.0.0.1:1", "--config=none", "--isolation", "--client-keys=one"];
  const { code, stderr } = await refusalOf("doctor", ...args);
  expect([code, stderr]).toEqual([2, expect.stringContaining("two of the gateway's API keys")]);
});

test("stator doctor --isolation refuses the same key twice", async () => {
  const args = ["http://127.0.0.1:1", "--config=none", "--isolation", "--client-keys=one,one"];
  const { code, stderr } = await refusalOf("doctor", ...args);
  expect([code, stderr]).toEqual([2, expect.stringContaining("names the same key twice")]);
});
