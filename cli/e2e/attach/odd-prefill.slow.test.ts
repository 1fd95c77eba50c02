import type { ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type AnswerServer, serveAnswers } from "../../../gateway/engines/test-server.ts";
import { attach } from "../access/attached.ts";
import { metric } from "../metrics.ts";
import type { StatorProcess } from "../stator-process.ts";
import { enginesAreReady } from "./ready-engines.ts";

// Prefill engines whose answers are unusual, or wrong.

let stator: StatorProcess | undefined;
const servers: AnswerServer[] = [];
afterEach(async () => {
  await stator?.stop();
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

type Handler = (body: string, response: ServerResponse) => unknown;

/** An engine of this kind whose completions are answered by `complete`. @returns its URL */
async function serve(owner: string, complete: Handler): Promise<string> {
  const server = await serveAnswers({
    "/v1/models": { data: [{ id: "tiny", owned_by: owner, max_model_len: 100_000 }] },
    "/health": "",
    "/metrics": "",
    "/v1/completions": async (request, response) => void complete(await text(request), response),
  });
  servers.push(server);
  return server.url;
}

const ANSWER =
  '{"id":"a","object":"text_completion","choices":[{"index":0,"text":"yes","finish_reason":"length"}]}';

interface Asked {
  /** What the decode engine was asked, in order. */
  readonly bodies: string[];
  readonly url: string;
  ask(): Promise<Response>;
}

/** A gateway before a prefill engine and a decode engine, which answers yes. */
async function divided(owner: string, prefill: Handler, decode?: Handler): Promise<Asked> {
  const bodies: string[] = [];
  const prefillUrl = await serve(owner, prefill);
  const decodeUrl = await serve(owner, (body, response) => {
    bodies.push(body);
    return decode === undefined ? response.end(ANSWER) : decode(body, response);
  });
  const flags = ["--prefill", prefillUrl, "--decode", decodeUrl, "--remote-prefill-max-wait=1000"];
  const started = await attach([], ...flags);
  stator = started.stator;
  const { url } = started;
  await enginesAreReady(url, 2);
  let count = 0;
  const ask = () =>
    fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-stator-explain": "true" },
      body: JSON.stringify({
        model: "tiny",
        prompt: `${++count} ${"is long ".repeat(1_000)}`,
        max_tokens: 4,
      }),
    });
  return { bodies, url, ask };
}

const PARAMS = (ids: number) =>
  JSON.stringify({
    do_remote_prefill: true,
    do_remote_decode: false,
    remote_block_ids: Array.from({ length: ids }, (_, index) => 100_000 + index),
    remote_engine_id: "e",
    remote_request_id: "r",
    remote_host: "127.0.0.1",
    remote_port: 5600,
  });

/** A prefill answer, to whose parameters others are added. */
const answerWith = (params: string, more = "") =>
  `{"choices":[{"text":"a"}],"kv_transfer_params":${params.slice(0, -1)}${more}}}`;

test.each([1, 10_000])(
  "an answer with %i block ids that arrives in pieces reaches the decode engine whole",
  async (ids) => {
    const params = PARAMS(ids);
    const { ask, bodies, url } = await divided("vllm", async (_body, response) => {
      const answer = answerWith(params);
      response.setHeader("content-type", "application/json");
      for (const at of [0, 1, 2]) {
        const piece = Math.ceil(answer.length / 3);
        response.write(answer.slice(at * piece, (at + 1) * piece));
        await sleep(20);
      }
      response.end();
    });
    for (let count = 0; count < 4; count++) expect((await ask()).status).toBe(200);
    for (const body of bodies) expect(body).toContain(`"kv_transfer_params":${params}`);
    expect(await metric(url, "stator_prefills_total", { place: "remote" })).toBe(4);
  },
);

test("numbers of parameters stay as they were written", async () => {
  const numbers = ',"long":18446744073709551615,"share":1.0,"small":1e-7}';
  const vllm = await divided("vllm", (_body, response) =>
    response.end(answerWith(PARAMS(3), numbers.slice(0, -1))),
  );
  await vllm.ask();
  expect(vllm.bodies[0]).toContain(numbers);
  await stator!.stop();
  const id = '"ctx_request_id":12345678901234567';
  const trt = await divided("tensorrt_llm", (_body, response) =>
    response.end(`{"choices":[{"disaggregated_params":{"request_type":"context_only",${id}}}]}`),
  );
  await trt.ask();
  expect(trt.bodies[0]).toContain(id);
});

const useless: [string, string, string][] = [
  ["vllm", '{"choices":[]}', "Its answer has no kv_transfer_params"],
  ["vllm", answerWith(PARAMS(0)), "Its answer names no KV blocks."],
  ["vllm", "data: {}", "Its answer is not JSON."],
  ["tensorrt_llm", '{"choices":[{"disaggregated_params":{}}]}', "with a ctx_request_id"],
  ["tensorrt_llm", '{"choices":[{"disaggregated_params":{"ctx_request_id":null}}]}', "with a ctx_request_id"],
];
test.each(useless)(
  "%s's decode engine computes the prompt instead of using %s",
  async (owner, answer, reason) => {
    const { ask, bodies } = await divided(owner, (_body, response) => response.end(answer));
    const response = await ask();
    expect([response.status, response.headers.get("x-stator-prefill-here")]).toEqual([200, "failed"]);
    expect(bodies[0]).not.toContain("_params");
    await stator!.printed(new RegExp(`a prefill engine's work was not used.*${reason}`));
  },
);

test("a decode engine that refuses the blocks gets the plain request; what it refuses then is the client's", async () => {
  const refuse = (response: ServerResponse) => response.writeHead(400).end('{"error":{"message":"no"}}');
  const plain = { isRefused: false };
  const { ask, bodies, url } = await divided(
    "vllm",
    (_body, response) => response.end(answerWith(PARAMS(3))),
    (body, response) =>
      plain.isRefused || body.includes("kv_transfer_params") ? refuse(response) : response.end(ANSWER),
  );
  expect((await ask()).headers.get("x-stator-prefill-here")).toBe("failed");
  expect(bodies).toHaveLength(2);
  plain.isRefused = true;
  expect((await ask()).status).toBe(400);
  expect(await metric(url, "stator_prefills_total", { place: "fallback" })).toBe(2);
  expect(await metric(url, "stator_prefills_total", { place: "local" })).toBe(0);
});

test("the reason of a refusal quotes the engine", async () => {
  const { ask } = await divided("vllm", (_body, response) =>
    response.writeHead(422).end('{"error":{"message":"too odd"}}'),
  );
  expect((await ask()).status).toBe(200);
  await stator!.printed(/It answered with status 422: too odd/);
});
