import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StandIn, startVllm } from "#stand-ins";
import { defineTextWorker } from "#workers";
import { PNG } from "../../../gateway/media/test-media.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

// A model whose workers and engine differ: only the workers have an alias, and only the engine has a long context, an
// adapter and tools. A request goes to a member that can answer it.

const CONTEXT = 200;
const ENGINE_CONTEXT = 2_000;
/** More rounds than the router has members to choose from. */
const ROUNDS = 4;

let engine: StandIn;
let gateway: OwnGateway;

beforeEach(async () => {
  engine = await startVllm({
    model: "both",
    contextLength: ENGINE_CONTEXT,
    adapters: ["lora"],
    takesMedia: true,
  });
  const worker = defineTextWorker({ name: "both", contextLength: CONTEXT, generate: () => ["an answer"] });
  const context = {
    options: { aliases: ["default"] },
    threads: 1,
    log: { child: () => context.log } as never,
  };
  gateway = await startOwnGateway(
    { own: await worker.open(context) },
    {
      engines: [{ url: engine.url, name: "engine" }],
      policy: "round-robin",
      affinity: { mode: "soft", ttlMs: 600_000 },
      health: { slowStartMs: 0 },
    },
  );
});

afterEach(() => engine.close());

async function engineState(): Promise<string> {
  return (await (await fetch(`${gateway.url}/admin/workers/engine`)).json()).state;
}

/** Who answers, or why nobody does. */
async function complete(body: object, path = "completions"): Promise<string> {
  const response = await fetch(`${gateway.url}/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stator-explain": "true" },
    body: JSON.stringify({ model: "default", prompt: "Hi", max_tokens: 1, ...body }),
  });
  const { error } = await response.json();
  return error === undefined
    ? String(response.headers.get("x-stator-worker"))
    : `${response.status} ${error.code}`;
}

async function repeated(body: object, path?: string): Promise<string[]> {
  const answers = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) answers.add(await complete(body, path));
  return [...answers].sort();
}

describe.each(["both", "default"])("under the name %s", (model) => {
  test("both kinds of members answer", async () => {
    expect(await repeated({ model })).toEqual(["engine", "own"]);
  });

  test("a prompt that only fits the engine's context goes to the engine", async () => {
    expect(await repeated({ model, prompt: "x".repeat(CONTEXT + 1) })).toEqual(["engine"]);
  });

  test("a parameter that workers do not support goes to the engine", async () => {
    expect(await repeated({ model, suffix: "." })).toEqual(["engine"]);
  });

  test("an image goes to the engine", async () => {
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } };
    const messages = [{ role: "user", content: [{ type: "text", text: "What is this?" }, image] }];
    const chat = { model, prompt: undefined, messages };
    expect(await repeated(chat, "chat/completions")).toEqual(["engine"]);
    expect(await repeated({ ...chat, stator: { worker: "own" } }, "chat/completions")).toEqual([
      "400 unsupported_parameter",
    ]);
  });

  test("what only workers could answer and cannot is refused", async () => {
    const prompt = "x".repeat(CONTEXT + 1);
    expect(await repeated({ model, prompt, stator: { worker: "own" } })).toEqual([
      "400 context_length_exceeded",
    ]);
    expect(await repeated({ model, suffix: ".", stator: { worker: "own" } })).toEqual([
      "400 unsupported_parameter",
    ]);
  });

  test("an invalid request is refused while the engine is down", async () => {
    await engine.close();
    expect(await complete({ model, stator: { worker: "engine" } })).toMatch(/^50[23] /);
    await expect.poll(engineState).toBe("down");
    expect(await repeated({ model, temperature: 9 })).toEqual(["400 invalid_value"]);
    expect(await repeated({ model, prompt: Array(1000).fill("Hi") })).toEqual(["400 invalid_value"]);
    expect(await repeated({ model })).toEqual(["own"]);
  });

  test("a request goes to the member that it names", async () => {
    expect(await repeated({ model, stator: { worker: "engine" } })).toEqual(["engine"]);
    expect(await repeated({ model, stator: { worker: "own" } })).toEqual(["own"]);
  });

  test("a session stays with its member", async () => {
    for (const session of ["one", "two"])
      expect(await repeated({ model, stator: { session } })).toHaveLength(1);
  });
});

test("an adapter that only the engine has goes to the engine", async () => {
  expect(await repeated({ model: "lora" })).toEqual(["engine"]);
});
