import { expect, test } from "vitest";
import { removeReservedFields } from "./reserved-fields.ts";

function remove(text: string, isScoped = false) {
  const bytes = new TextEncoder().encode(text);
  const left = removeReservedFields({ bytes, body: JSON.parse(text) }, isScoped);
  return left && { text: new TextDecoder().decode(left.bytes), body: left.body, removed: left.removed };
}

test("a client's transfer parameters never reach an engine, however they are spelled", () => {
  for (const name of [
    "kv_transfer_params",
    "ec_transfer_params",
    "disaggregated_params",
    "bootstrap_host",
    "bootstrap_port",
    "bootstrap_room",
    "epd_bootstrap_addr",
    "kv\\u005ftransfer_params",
  ]) {
    const left = remove(`{"model":"m", "${name}": {"do_remote_prefill":true}, "prompt":"hi","${name}":1}`);
    expect(left).toMatchObject({ text: '{"model":"m","prompt":"hi"}', body: { model: "m", prompt: "hi" } });
  }
});

test("vLLM's further arguments are removed only if they have such parameters", () => {
  expect(remove('{"vllm_xargs":{"kv_transfer_params":{}},"prompt":"hi"}')?.text).toBe('{"prompt":"hi"}');
  expect(remove('{"vllm_xargs":{"other":1},"prompt":"hi"}')).toBeUndefined();
});

test("a key for some models cannot choose an adapter besides the model", () => {
  const text = '{"model":"m","lora_path":"secret","lora_request":{},"lora":[{"id":0}]}';
  expect(remove(text, true)).toEqual({
    text: '{"model":"m"}',
    body: { model: "m" },
    removed: ["lora_path", "lora_request", "lora"],
  });
  expect(remove(text)).toBeUndefined();
});

test("other requests stay as they are", () => {
  expect(remove('{"prompt":"kv_transfer_params","metadata":{"kv_transfer_params":1}}')).toBeUndefined();
  expect(removeReservedFields({ bytes: undefined, body: undefined })).toBeUndefined();
});
