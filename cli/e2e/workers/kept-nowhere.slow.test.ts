import OpenAI from "openai";
import { expect, test } from "vitest";
import { hasNats, startNats } from "../../../runtime/testing/nats-server.ts";
import { startOwnGateway } from "./own-gateway.ts";
import { Reciter } from "./reciter.ts";

test.runIf(hasNats)("a response that cannot be kept at its end says so", { timeout: 120_000 }, async () => {
  await using nats = await startNats();
  const engine = new Reciter("plain");
  engine.script = ["Yes."];
  const { url } = await startOwnGateway({ engine }, { responsesStore: `nats://${nats.host}` });
  const openai = new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 });
  const ask = { model: "plain", input: "Hi" };
  const { id: conversation } = await openai.conversations.create({});
  const first = await openai.responses.create(ask);
  expect(first).toMatchObject({ store: true });

  const { promise, resolve } = Promise.withResolvers<void>();
  engine.gate = { at: 2, open: promise };
  const made = openai.responses.create({ ...ask, conversation });
  await expect.poll(() => engine.recited).toBe(2);
  await nats.kill();
  resolve();
  expect(await made).toMatchObject({ status: "completed", store: false, conversation: null });
  for await (const event of await openai.responses.create({ ...ask, stream: true }))
    if (event.type === "response.completed") expect(event.response).toMatchObject({ store: false });
  for (const asked of [openai.responses.retrieve(first.id), openai.conversations.create({})])
    await expect(asked).rejects.toMatchObject({ status: 503, code: "responses_store_unavailable" });

  await nats.resume();
  await expect.poll(() => openai.responses.create(ask), { timeout: 60_000 }).toMatchObject({ store: true });
  expect(await openai.responses.retrieve(first.id)).toMatchObject({ output_text: "Yes." });
});
