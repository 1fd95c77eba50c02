import { expect, test } from "vitest";
import { isAtLeast } from "./cache-salt.ts";
import { adapterOf } from "./index.ts";

const CHAT = "/v1/chat/completions";
const salted = { cache_salt: "s" };

test.each([
  ["vllm", "0.8.5", CHAT, undefined],
  ["vllm", "0.9.0", CHAT, salted],
  ["vllm", "0.9.2", "/v1/completions", undefined],
  ["vllm", "0.10.0", "/v1/completions", salted],
  ["vllm", "0.10.0", "/v1/responses", salted],
  ["vllm", "0.31.0", "/v1/messages", undefined],
  ["vllm", "0.32.0", "/v1/messages", salted],
  ["vllm", "0.32.0", "/v1/audio/transcriptions", undefined],
  // Builds without a release are newer than releases.
  ["vllm", "0.1.dev1+g5a4d2b1c", CHAT, salted],
  ["vllm", undefined, CHAT, salted],
  ["sglang", "0.5.3", CHAT, undefined],
  ["sglang", "0.5.10.post1", CHAT, salted],
  ["sglang", "0.5.10", "/v1/messages", undefined],
  ["tensorrt-llm", "1.2.0", CHAT, salted],
  ["tensorrt-llm", "1.2.0", "/v1/completions", undefined],
  ["llama.cpp", "b8200-5a4d2b1c", CHAT, { cache_prompt: false }],
  ["llama.cpp", "b8200-5a4d2b1c", "/v1/embeddings", undefined],
  ["openai", undefined, CHAT, undefined],
])("%s %s gets on %s %j", (kind, version, path, fields) => {
  expect(adapterOf(kind).saltFields?.("s", { path, version })).toEqual(fields);
});

test("releases are compared part by part", () => {
  expect(isAtLeast("0.10.0", [0, 9, 9])).toBe(true);
  expect(isAtLeast("v1.0.0", [0, 32, 0])).toBe(true);
  expect(isAtLeast("0.9.10", [0, 10, 0])).toBe(false);
});
