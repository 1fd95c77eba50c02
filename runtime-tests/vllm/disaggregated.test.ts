import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { complete, expectSame, greedy, prompts, warmUp } from "./greedy.ts";
import { areReady, attach, eventually, freshText, metricOf, post, prefills } from "./setup.ts";
import { VllmServer, writeTinyModel } from "./vllm-server.ts";
import { wordsOnly } from "./words.ts";

// Real vLLM servers that hand KV blocks over by NIXL, with weights that tell: an answer from other blocks differs.

/** How long the prefill engine holds blocks, in seconds. */
const LEASE_SECONDS = 20;
const TOKENS = 24;

let folder: string;
let prefill: VllmServer;
let decode: readonly VllmServer[] = [];
let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  folder = temporaryFolder();
  writeTinyModel(folder);
  const start = (role: "prefill" | "decode") =>
    VllmServer.start(folder, { role, leaseSeconds: LEASE_SECONDS });
  const [p, d] = await Promise.all([start("prefill"), start("decode")]);
  prefill = p;
  decode = [d];
  await warmUp([p, d], ["--prefill", p.url, "--decode", d.url]);
});

afterAll(async () => {
  await Promise.all([prefill, ...decode].map((server) => server?.stop()));
});

beforeEach(async () => {
  const roles = ["--prefill", prefill.url, "--decode", ...decode.map((server) => server.url)];
  const flags = [
    // Two cores run everything here, and an engine that starts takes them both for a while.
    "--health-failures=100",
    `--engine-kv-lease=${LEASE_SECONDS}`,
    "--remote-prefill-max-wait=1000",
  ];
  ({ stator, url } = await attach([], ...roles, ...flags));
  await areReady(url, 1 + decode.length);
});

afterEach(async () => void (await stator.stop()));

async function streamed(base: string, content: string, more: object = {}): Promise<string> {
  const messages = [{ role: "user", content }];
  const response = await post(base, "/v1/chat/completions", { ...greedy, ...more, messages, stream: true });
  const events = (await response.text()).split("\n\n").filter((event) => event.startsWith("data: {"));
  const chunks = events.map((event) => JSON.parse(event.slice("data: ".length)));
  for (const chunk of chunks) expect(chunk.error).toBeUndefined();
  expect(chunks.some(({ choices }) => choices[0]?.finish_reason === "length")).toBe(true);
  return chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
}

const transfers = async () =>
  (await Promise.all(decode.map((server) => metricOf(server, "vllm:nixl_xfer_time_seconds_count")))).reduce(
    (sum, each) => sum + each,
  );

/** Every engine is idle, and holds nothing for others. */
async function expectIdle(): Promise<void> {
  for (const server of [prefill, ...decode])
    await eventually(async () => {
      const running = await metricOf(server, "vllm:num_requests_running");
      const used = await metricOf(server, "vllm:kv_cache_usage_perc");
      return running === 0 && used < 0.001 ? true : undefined;
    }, "an engine is idle");
}

describe("vLLM's prefill and decode engines", () => {
  test("answer as one engine does, and every prompt is transferred", async () => {
    const before = await transfers();
    const all = prompts(8);
    // The prefill engine computes these whole; decode engines never see them but through the gateway.
    const expected = await Promise.all(all.map((prompt) => complete(prefill.url, prompt)));
    const answers = await Promise.all(all.map((prompt) => complete(url, prompt)));
    for (const [index, answer] of answers.entries()) expectSame(answer, expected[index]!);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(8);
    const log = stator.stdout + stator.stderr + decode[0]!.output;
    expect(await prefills(url, "remote"), log).toBe(8);
    expect(await transfers()).toBe(before + 8);
    expect(await prefills(url, "fallback")).toBe(0);
    await expectIdle();
  });

  test("stream chats, with tools that must be called, too", async () => {
    const before = await transfers();
    const [content] = prompts(1);
    expect(await streamed(url, content!)).toBe(await streamed(prefill.url, content!));
    const tools = [{ type: "function", function: { name: "look", parameters: { type: "object" } } }];
    const messages = [{ role: "user", content: freshText(700) }];
    const forced = { ...greedy, messages, tools, tool_choice: "required" };
    expect((await post(url, "/v1/chat/completions", forced)).status).toBe(200);
    expect(await prefills(url, "remote")).toBe(2);
    expect(await transfers()).toBe(before + 2);
  });

  test("divide Messages and Responses, too", async () => {
    const before = await transfers();
    const asked = async (base: string, path: string, body: object) => {
      const response = await post(base, path, { ...greedy, ...body });
      const answer = await response.json();
      expect(response.status, JSON.stringify(answer)).toBe(200);
      return answer;
    };
    const [one, two] = prompts(2);
    const messages = [{ role: "user", content: one }];
    const said = await asked(url, "/v1/messages", { messages });
    expect(said.content).toEqual((await asked(prefill.url, "/v1/messages", { messages })).content);
    const input = { input: two, max_output_tokens: TOKENS };
    const textOf = ({ output }: { output: [{ content: [{ text: string }] }] }) => output[0].content[0].text;
    expect(textOf(await asked(url, "/v1/responses", input))).toBe(
      textOf(await asked(prefill.url, "/v1/responses", input)),
    );
    expect(await prefills(url, "remote")).toBe(2);
    expect(await transfers()).toBe(before + 2);
  });

  test("tell their roles and leases in their developer mode", async () => {
    const { stator: other, url: base } = await attach([prefill.url, decode[0]!.url], "--health-interval=0.5");
    const { data } = (await (await fetch(`${base}/admin/workers`)).json()) as { data: { role: string }[] };
    expect(data.map(({ role }) => role)).toEqual(["prefill", "decode"]);
    await other.stop();
  });

  test("are not ended by a client's own parameters", async () => {
    const prompt = freshText(700);
    const body = { ...greedy, prompt, kv_transfer_params: { do_remote_prefill: true } };
    expect((await post(url, "/v1/completions", body)).status).toBe(200);
    for (const server of decode) expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });

  test("do not use blocks whose lease has run out while the gateway stood still", async () => {
    const prompt = freshText(900);
    // The first answer of the prefill engine is on its way when the gateway is stopped.
    const served = await metricOf(prefill, "vllm:request_success_total");
    const answer = complete(url, prompt);
    await eventually(async () => {
      const running = await metricOf(prefill, "vllm:num_requests_running");
      const now = await metricOf(prefill, "vllm:request_success_total");
      return running > 0 || now > served ? true : undefined;
    }, "the prefill engine has the request");
    stator.signal("SIGSTOP");
    await sleep((LEASE_SECONDS + 5) * 1000);
    stator.signal("SIGCONT");
    expectSame(await answer, await complete(prefill.url, prompt));
  });

  test("lose no answer when a decode engine is killed", async () => {
    const other = await VllmServer.start(folder, { role: "decode", leaseSeconds: LEASE_SECONDS });
    decode = [...decode, other];
    const attached = await fetch(`${url}/admin/workers`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ url: other.url, role: "decode" }),
    });
    expect(await attached.json()).toMatchObject({ role: "decode" });
    await areReady(url, 3);
    const all = prompts(6);
    const words = await wordsOnly(prefill.url);
    const expected = await Promise.all(all.map((prompt) => streamed(prefill.url, prompt, words)));
    const answers = all.map((prompt) => streamed(url, prompt, words));
    await eventually(
      async () => ((await prefills(url, "remote")) > 0 ? true : undefined),
      "some are answered",
    );
    decode[0]!.kill();
    expect(await Promise.all(answers)).toEqual(expected);
    await decode[0]!.stop();
    decode = [other];
    await expectIdle();
  });

  test("lose no answer when the prefill engine is killed", async () => {
    const all = prompts(6);
    const expected = await Promise.all(all.map((prompt) => streamed(prefill.url, prompt)));
    const answers = all.map((prompt) => streamed(url, prompt));
    await eventually(
      async () => ((await prefills(url, "remote")) > 0 ? true : undefined),
      "some are answered",
    );
    prefill.kill();
    expect(await Promise.all(answers)).toEqual(expected);
    const [prompt] = prompts(1);
    const alone = await complete(url, prompt!);
    await prefill.stop();
    prefill = await prefill.again({ role: "prefill", leaseSeconds: LEASE_SECONDS });
    expectSame(await complete(prefill.url, prompt!), alone);
    await expectIdle();
  });
});
