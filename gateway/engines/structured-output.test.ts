import { describe, expect, test } from "vitest";
import { adapterOf } from "./index.ts";
import { structuredOutputOf, withOwnFields } from "./structured-output.ts";

const CHAT = "/v1/chat/completions";
const COMPLETIONS = "/v1/completions";

const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };

interface Sent {
  kind: string;
  version?: string;
  path?: string;
}

/** The bytes that an engine gets. */
function bytesTo({ kind, version, path = CHAT }: Sent, bytes: Uint8Array, json: Record<string, unknown>) {
  const found = structuredOutputOf(path, json);
  return found === undefined ? bytes : withOwnFields(bytes, found, adapterOf(kind), version);
}

/** What an engine gets of a request's body. */
function sentTo(engine: Sent, json: Record<string, unknown>): unknown {
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  return JSON.parse(new TextDecoder().decode(bytesTo(engine, bytes, json)));
}

const json_schema = { name: "answer", schema };

/** Constraints in both of vLLM's spellings, and what each kind of engine gets. */
const CONSTRAINTS: Record<string, { value: unknown; sent: Record<string, unknown> }> = {
  json: {
    value: schema,
    sent: {
      "vllm 0.32.0": { structured_outputs: { json: schema } },
      "vllm 0.10.1": { guided_json: schema },
      sglang: { response_format: { type: "json_schema", json_schema } },
      "tensorrt-llm": { response_format: { type: "json", schema } },
      "llama.cpp": { json_schema: schema },
    },
  },
  regex: {
    value: "\\d{3}",
    sent: {
      "vllm 0.32.0": { structured_outputs: { regex: "\\d{3}" } },
      "vllm 0.10.1": { guided_regex: "\\d{3}" },
      sglang: { regex: "\\d{3}" },
      "tensorrt-llm": { response_format: { type: "regex", regex: "\\d{3}" } },
      "llama.cpp": { grammar: expect.stringMatching(/^root ::=/m) },
    },
  },
  choice: {
    value: ["a.b", "c|d"],
    sent: {
      "vllm 0.32.0": { structured_outputs: { choice: ["a.b", "c|d"] } },
      "vllm 0.10.1": { guided_choice: ["a.b", "c|d"] },
      sglang: { regex: "(a\\.b|c\\|d)" },
      "tensorrt-llm": { response_format: { type: "regex", regex: "(a\\.b|c\\|d)" } },
      "llama.cpp": { grammar: expect.stringContaining('"a.b"') },
    },
  },
  grammar: {
    value: 'root ::= "x"+',
    sent: {
      "vllm 0.32.0": { structured_outputs: { grammar: 'root ::= "x"+' } },
      "vllm 0.10.1": { guided_grammar: 'root ::= "x"+' },
      sglang: { ebnf: 'root ::= "x"+' },
      "tensorrt-llm": { response_format: { type: "ebnf", ebnf: 'root ::= "x"+' } },
      "llama.cpp": { grammar: 'root ::= "x"+' },
    },
  },
};

describe("a constraint", () => {
  for (const [what, { value, sent }] of Object.entries(CONSTRAINTS)) {
    test.for(Object.entries(sent))(`to ${what} goes to %s in its own fields`, ([engine, own]) => {
      const [kind, version] = engine.split(" ");
      const target = { kind: kind!, ...(version !== undefined && { version }) };
      const rest = { messages: [], temperature: 0.5 };
      for (const said of [{ structured_outputs: { [what]: value } }, { [`guided_${what}`]: value }])
        expect(sentTo(target, { ...rest, ...said })).toEqual({ ...rest, ...(own as object) });
    });
  }

  test("to any JSON object", () => {
    const given = { structured_outputs: { json_object: true } };
    const format = { response_format: { type: "json_object" } };
    expect(sentTo({ kind: "vllm", version: "0.11.0" }, given)).toEqual(given);
    expect(sentTo({ kind: "vllm", version: "v0.9.2" }, given)).toEqual(format);
    expect(sentTo({ kind: "sglang" }, given)).toEqual(format);
    expect(sentTo({ kind: "tensorrt-llm" }, given)).toEqual(format);
    expect(sentTo({ kind: "llama.cpp" }, given)).toEqual({ json_schema: { type: "object" } });
  });

  test("to a schema goes to SGLang's completions as text", () => {
    expect(sentTo({ kind: "sglang", path: COMPLETIONS }, { guided_json: JSON.stringify(schema) })).toEqual({
      json_schema: JSON.stringify(schema),
    });
  });

  test("replaces a response_format of text, and takes the hints of guided_… along", () => {
    const given = {
      guided_regex: "x",
      guided_decoding_backend: "outlines",
      response_format: { type: "text" },
      guided_json: null,
    };
    expect(sentTo({ kind: "tensorrt-llm" }, given)).toEqual({
      guided_json: null,
      response_format: { type: "regex", regex: "x" },
    });
  });

  test("that a grammar cannot say is refused under the name that the client used", () => {
    const refusal = expect.objectContaining({ status: 400, param: "structured_outputs.regex" });
    const ask = () => sentTo({ kind: "llama.cpp" }, { structured_outputs: { regex: "(?=a)b" } });
    expect(ask).toThrow(refusal);
  });
});

test.for([
  ["without a constraint", { messages: [] }],
  ["with several", { guided_regex: "a", guided_choice: ["b"] }],
  ["with a response_format", { guided_regex: "a", response_format: { type: "json_object" } }],
  ["with a constraint of a wrong type", { guided_regex: 7 }],
  ["with an unknown constraint", { structured_outputs: { structural_tag: "{}" } }],
  ["with a choice of nothing", { structured_outputs: { choice: [] } }],
  ["with a schema that is no JSON", { guided_json: "{" }],
] as const)("a body %s stays as it is", ([, given]) => {
  const bytes = new TextEncoder().encode(JSON.stringify(given));
  for (const kind of ["vllm", "sglang", "tensorrt-llm", "llama.cpp", "openai"])
    expect(bytesTo({ kind, version: "0.32.0" }, bytes, given)).toBe(bytes);
});

test("bodies for unknown servers and of other APIs stay as they are", () => {
  const json = { structured_outputs: { regex: "a" } };
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  expect(bytesTo({ kind: "openai" }, bytes, json)).toBe(bytes);
  expect(bytesTo({ kind: "sglang", path: "/v1/embeddings" }, bytes, json)).toBe(bytes);
});
