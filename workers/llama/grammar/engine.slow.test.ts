import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultModelFolder, fetchModel } from "#cli";
import { createLogger, type GenerateRequest } from "#runtime";
import { reasoningGrammar, regexGrammar, schemaGrammar } from "../../../gateway/grammars/index.ts";
import { bothOf } from "../../../gateway/grammars/test-oracle.ts";
import { collect, requestFor, tokensOf } from "../../engine.suite.ts";
import type { Delta, Engine } from "../../engine.ts";
import { openLlama } from "../open.ts";

const never = new AbortController().signal;
const PERSON = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 12 },
    age: { type: "integer", minimum: 1, maximum: 120 },
    tags: { type: "array", items: { enum: ["red", "blue"] }, maxItems: 2 },
  },
  required: ["name", "age"],
};
const CHAT = "<|im_start|>user\nDescribe a person as JSON.<|im_end|>\n<|im_start|>assistant\n";

describe("grammars in llama.cpp", () => {
  let engine: Engine;
  let chat: Uint32Array;

  beforeAll(async () => {
    const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
    const log = createLogger({ name: "test", level: "error" });
    engine = await openLlama({ modelPath: path, threads: 1, contextLength: 512, sequences: 3, log });
    chat = await engine.tokenize!(CHAT);
  });

  afterAll(() => engine.close());

  const textOf = (tokens: readonly number[]) =>
    Buffer.concat(tokens.map((id) => engine.vocabulary!()[id]!.bytes)).toString();

  const requested = (gbnf: string | undefined, fields: Partial<GenerateRequest> = {}): GenerateRequest => {
    const request = requestFor(chat, { maxTokens: 150, ignoreEos: false, ...fields });
    return gbnf === undefined ? request : { ...request, grammar: { gbnf, after: [] } };
  };
  const generate = async (gbnf: string | undefined, fields: Partial<GenerateRequest> = {}) =>
    collect(engine.generate(requested(gbnf, fields), never));
  const sampling = (fields: Partial<GenerateRequest["sampling"]>): Partial<GenerateRequest> => ({
    sampling: { ...requestFor(chat).sampling, temperature: 1, ...fields },
  });
  const finishOf = (deltas: readonly Delta[]) => deltas.at(-1)?.finish;

  test("answers satisfy the schema at temperature 1, next to an unconstrained request", async () => {
    const { validate } = bothOf(PERSON);
    const alone = tokensOf(await generate(undefined, { maxTokens: 30 }));
    const [free, ...constrained] = await Promise.all([
      generate(undefined, { maxTokens: 30 }),
      ...[1, 2, 3, 4].map((seed) => generate(schemaGrammar(PERSON, "s"), sampling({ seed }))),
    ]);
    expect(tokensOf(free)).toEqual(alone);
    for (const deltas of constrained) {
      const text = textOf(tokensOf(deltas));
      expect([text, finishOf(deltas), validate(JSON.parse(text))]).toEqual([text, "stop", true]);
    }
    expect(new Set(constrained.map((deltas) => textOf(tokensOf(deltas)))).size).toBeGreaterThan(1);
  });

  test("with log probabilities, those of the tokens that fit", async () => {
    const fields = { ...sampling({ seed: 7 }), logprobs: 3 };
    const deltas = await generate(regexGrammar("(yes|no) [0-9]{2}", "r"), fields);
    expect(textOf(tokensOf(deltas))).toMatch(/^(yes|no) [0-9]{2}$/);
    const logprobs = deltas.flatMap((delta) => delta.logprobs ?? []);
    expect(logprobs).toHaveLength(tokensOf(deltas).length);
    for (const { logprob, top } of logprobs) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top.every(([, each]) => Number.isFinite(each) && each <= 0)).toBe(true);
      expect(top.length).toBeGreaterThan(0);
    }
    expect(tokensOf(await generate(regexGrammar("(yes|no) [0-9]{2}", "r"), fields))).toEqual(
      tokensOf(deltas),
    );
  });

  test("with penalties and biases", async () => {
    const [blue] = await engine.tokenize!("blue");
    const fields = sampling({
      repetitionPenalty: 1.5,
      presencePenalty: 1,
      seed: 3,
      logitBias: [[blue!, 30]],
    });
    const text = textOf(
      tokensOf(await generate(regexGrammar("(red|blue|green)(,(red|blue|green)){3}", "r"), fields)),
    );
    expect(text).toMatch(/^blue(,(red|blue|green)){3}$/);
  });

  test("goes on after the tokens of another worker", async () => {
    const gbnf = schemaGrammar(PERSON, "s");
    const whole = tokensOf(await generate(gbnf));
    for (const answered of [1, 4, whole.length - 1]) {
      const tokens = Uint32Array.from([...chat, ...whole.slice(0, answered)]);
      const rest = await generate(gbnf, { tokens, answered });
      expect(tokensOf(rest)).toEqual(whole.slice(answered));
      expect(finishOf(rest)).toBe("stop");
    }
  });

  test("goes on after a prefill worker's token", async () => {
    const gbnf = schemaGrammar(PERSON, "s");
    const whole = tokensOf(await generate(gbnf));
    const { delta, kv } = await engine.exportKv!(requested(gbnf), never);
    expect(delta.tokenIds).toEqual(whole.slice(0, 1));
    const memory = new Uint8Array(kv!.bytes);
    await kv!.write(memory);
    kv!.release();
    const request = requested(gbnf, { tokens: Uint32Array.from([...chat, whole[0]!]), answered: 1 });
    const deltas = await collect(
      engine.importKv!(
        request,
        { tokens: chat.length, bytes: memory.length, signal: never, read: async () => memory },
        never,
      ),
    );
    expect(tokensOf(deltas)).toEqual(whole.slice(1));
  });

  test("lets the model reason first, and holds for the answer after it", async () => {
    const gbnf = reasoningGrammar(schemaGrammar(PERSON, "s"), { begin: "<think>", end: "</think>" });
    for (const reasoning of ["", "<think>A person, {", "<think>A person.</think>\n"]) {
      const begun = [...(await engine.tokenize!(reasoning))];
      // Without an end of its reasoning, it is ended for the model.
      const ended = reasoning.endsWith("{") ? [...(await engine.tokenize!("}</think>"))] : [];
      const answered = begun.length + ended.length;
      const tokens = Uint32Array.from([...chat, ...begun, ...ended]);
      const deltas = await generate(gbnf, { tokens, ...(answered > 0 && { answered }) });
      expect(JSON.parse(textOf(tokensOf(deltas)))).toMatchObject({ name: expect.any(String) });
      expect(finishOf(deltas)).toBe("stop");
    }
  });

  test("applies only after a text, also when that is in the answer already", async () => {
    const free = tokensOf(await generate(undefined, { maxTokens: 6 }));
    const after = [textOf(free).slice(-3)];
    const grammar = { gbnf: regexGrammar("[0-9]{4}", "r"), after };
    const deltas = await generate(undefined, { grammar, maxTokens: 40 });
    const text = textOf(tokensOf(deltas));
    expect([text, finishOf(deltas)]).toEqual([expect.stringMatching(/^\D+[0-9]{4}$/), "stop"]);
    const tokens = Uint32Array.from([...chat, ...tokensOf(deltas).slice(0, -2)]);
    const rest = await generate(undefined, { grammar, tokens, answered: tokensOf(deltas).length - 2 });
    expect(tokensOf(rest)).toEqual(tokensOf(deltas).slice(-2));
  });

  test("ends a complete answer even if end tokens are ignored", async () => {
    const deltas = await generate(regexGrammar("ok", "r"), { ignoreEos: true });
    expect([textOf(tokensOf(deltas)), finishOf(deltas)]).toEqual(["ok", "stop"]);
  });

  test("multi-byte characters can be cut into tokens", async () => {
    const deltas = await generate(regexGrammar("𓀀日本é", "r"));
    expect(textOf(tokensOf(deltas))).toBe("𓀀日本é");
  });

  test("refuses what llama.cpp cannot use, and goes on", async () => {
    for (const gbnf of ['root ::= root "a"', "root ::= x", "root = 1", 'root ::= "a"{2001}'])
      await expect(generate(gbnf)).rejects.toMatchObject({ code: "invalid_request" });
    expect(textOf(tokensOf(await generate('root ::= "a"{1999}', { maxTokens: 3 })))).toMatch(/^a+$/);
  });

  test("is a feature of the model", () => {
    expect(engine.card.features.grammar).toBe(true);
  });

  test("wins over biases that forbid all tokens", async () => {
    const all = Array.from({ length: engine.card.vocabularySize }, (_, id): [number, number] => [id, -100]);
    const deltas = await generate(regexGrammar("ok", "r"), sampling({ logitBias: all }));
    expect([textOf(tokensOf(deltas)), finishOf(deltas)]).toEqual(["ok", "stop"]);
  });
});
