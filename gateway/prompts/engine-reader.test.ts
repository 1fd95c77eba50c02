import { expect, test } from "vitest";
import { startVllm } from "#stand-ins";
import { adapterOf, createEngineApi } from "../engines/index.ts";
import { exactPrompt } from "../routing/prompt.ts";
import { engineReader } from "./engine-reader.ts";
import type { PromptBody, PromptKind } from "./prompt-reader.ts";

const messages = [{ role: "user", content: "Hello" }];

test.each<[PromptKind, PromptBody]>([
  ["chat", { messages }],
  ["messages", { messages }],
  ["responses", { input: "Hello" }],
])("the engine tokenizes the prompt of a %s request as a chat", async (kind, body) => {
  await using vllm = await startVllm();
  const api = createEngineApi(vllm.url);
  const adapter = adapterOf("vllm");
  const reader = engineReader("tiny", () => [{ name: "one", api, adapter }]);
  const tokens = await adapter.tokenize(api, { model: "tiny", chat: { messages } });
  expect(await reader.read(kind, body)).toEqual(exactPrompt(tokens));
});

test("a prompt of token ids needs no tokenizer", async () => {
  const reader = engineReader("tiny", () => []);
  expect(await reader.read("completions", { prompt: [1, 2, 3] })).toEqual(
    exactPrompt(Uint32Array.of(1, 2, 3)),
  );
});
