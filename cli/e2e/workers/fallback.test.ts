import { afterEach, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { defineTextWorker } from "#workers";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

// Fallbacks between models of workers.

let gateway: OwnGateway;
let isBroken = false;

afterEach(() => {
  isBroken = false;
});

async function start(): Promise<void> {
  const context = { options: {}, threads: 1, log: createLogger({ name: "test", write: () => {} }) };
  const model = (name: string) =>
    defineTextWorker({
      name,
      generate() {
        if (isBroken && name === "first") throw new Error("broken");
        return [`it is ${name}`];
      },
    }).open(context);
  gateway = await startOwnGateway(
    { first: await model("first"), second: await model("second") },
    {
      modelNames: { aliases: new Map([["either", "first"]]), fallbacks: new Map([["first", ["second"]]]) },
      requestOptions: { retries: 0 },
    },
  );
}

async function ask(model: string, stream = false) {
  const messages = [{ role: "user", content: "Who?" }];
  const response = await gateway.post("/v1/chat/completions", { model, messages, stream });
  const text = await response.text();
  // The worker's tokens are bytes, so a stream sends one letter at a time.
  const letters = [...text.matchAll(/"content":"([^"]*)"/g)].map(([, letter]) => letter).join("");
  const named = /it is (\w+)/.exec(letters)?.[1];
  return { status: response.status, named, standsIn: response.headers.get("x-stator-model") };
}

test.each([false, true])("a failing model's fallback answers and is named (streamed: %s)", async (stream) => {
  await start();
  expect(await ask("first", stream)).toMatchObject({ status: 200, named: "first", standsIn: null });
  isBroken = true;
  expect(await ask("first", stream)).toMatchObject({ status: 200, named: "second", standsIn: "second" });
  expect(await ask("either", stream)).toMatchObject({ status: 200, named: "second", standsIn: "second" });
});

test("a model's fallback answers when its workers have left", async () => {
  await start();
  await gateway.kill("first");
  expect(await ask("first")).toEqual({ status: 200, named: "second", standsIn: "second" });
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).toMatch(/^stator_model_fallbacks_total\{.*model="first",fallback="second".*\} 1$/m);
});

test("a model without a fallback fails with its own error", async () => {
  await start();
  await gateway.kill("second");
  expect((await ask("second")).status).toBe(503);
});
