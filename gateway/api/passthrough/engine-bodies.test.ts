import { expect, test } from "vitest";
import { adapterOf } from "../../engines/index.ts";
import type { EngineTarget } from "../../models/members/engine-member.ts";
import { bodiesFor, ownFieldsOf } from "./engine-bodies.ts";

const CHAT = "/v1/chat/completions";

const engine = (kind: string, version?: string) =>
  ({ adapter: adapterOf(kind), profile: { version } }) as unknown as EngineTarget;

const encode = (text: string) => new TextEncoder().encode(text);

/** What an engine gets of a body. */
function sent(kind: string, text: string, salt: string | undefined, continued?: object): unknown {
  const bodyFor = bodiesFor(encode(text), ownFieldsOf(CHAT, JSON.parse(text), { salt }), []);
  const bytes = bodyFor(engine(kind), continued && encode(JSON.stringify(continued)));
  return JSON.parse(new TextDecoder().decode(bytes));
}

test("a client's own ways to choose a cache give way to the gateway's, however they are written", () => {
  const text =
    '{"cache_salt":"a","model":"m","cache\\u005fsalt":"b","extra_key":"c","cache_prompt":true,"cache_salt":"d"}';
  expect(sent("vllm", text, "mine")).toEqual({ cache_salt: "mine", model: "m", cache_prompt: true });
  expect(sent("sglang", text, "mine")).toEqual({ cache_salt: "mine", model: "m", cache_prompt: true });
  expect(sent("llama.cpp", text, "mine")).toEqual({ cache_prompt: false, model: "m" });
  expect(sent("openai", text, "mine")).toEqual({ model: "m", cache_prompt: true });
});

test("without a salt of the gateway's, a body stays as it is", () => {
  const text = '{ "cache_salt": "a",  "model": "m" }';
  const bytes = encode(text);
  const bodyFor = bodiesFor(bytes, ownFieldsOf(CHAT, JSON.parse(text), {}), []);
  expect(bodyFor(engine("vllm"))).toBe(bytes);
});

test("an engine that takes adapters in a field of their own gets it", () => {
  const text = '{"model":"sql","messages":[]}';
  const to = (kind: string) => {
    const bodyFor = bodiesFor(encode(text), ownFieldsOf(CHAT, JSON.parse(text), { lora: "sql" }), []);
    return JSON.parse(new TextDecoder().decode(bodyFor(engine(kind))));
  };
  expect(to("sglang")).toEqual({ model: "sql", messages: [], lora_path: "sql" });
  expect(to("vllm")).toEqual({ model: "sql", messages: [] });
});

test("an answer that continues elsewhere keeps the engine's own fields", () => {
  const text = '{"model":"m","messages":[],"guided_regex":"a+"}';
  const continued = { model: "m", messages: ["more"], guided_regex: "a+", cache_salt: "theirs" };
  expect(sent("sglang", text, "mine", continued)).toEqual({
    model: "m",
    messages: ["more"],
    regex: "a+",
    cache_salt: "mine",
  });
});
