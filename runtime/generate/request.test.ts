import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GenerateRequestSchema } from "#proto";
import { decodeGenerateRequest, encodeGenerateRequest, type GenerateRequest, mediaKinds } from "./request.ts";

const id = fc.integer({ min: 0, max: 0xffffffff });
const optional = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.option(value).map((chosen) => (chosen === null ? {} : { [name]: chosen }));
const finite = fc.double({ min: 0, max: 100, noNaN: true });
const share = fc.double({ min: 0.001, max: 1, noNaN: true });
const kvSource = fc.record({
  format: fc.string(),
  tokens: id,
  bytes: fc.maxSafeNat(),
  agent: fc.uint8Array(),
  memory: fc.uint8Array(),
});
const medium = fc.record({
  kind: fc.constantFrom(...mediaKinds),
  type: fc.string({ minLength: 1 }),
  position: id,
  data: fc.uint8Array({ minLength: 1 }),
});
const request = fc
  .tuple(
    fc.record({
      requestId: fc.string(),
      model: fc.string(),
      tokens: fc.array(id).map((tokens) => Uint32Array.from(tokens)),
      maxTokens: fc.nat(),
      ignoreEos: fc.boolean(),
      stopTokenIds: fc.array(id),
    }),
    fc.record({
      temperature: finite,
      topP: share,
      topK: fc.nat(),
      minP: share,
      frequencyPenalty: finite,
      presencePenalty: finite,
      repetitionPenalty: share,
      logitBias: fc.array(fc.tuple(id, finite)),
    }),
    optional("seed", fc.maxSafeInteger()),
    optional("logprobs", fc.integer({ min: 0, max: 20 })),
    optional("echoLogprobs", fc.boolean()),
    optional("dataParallelRank", fc.nat()),
    optional("kvSource", kvSource),
    optional("answered", fc.nat()),
    optional(
      "grammar",
      fc.record({ gbnf: fc.string({ minLength: 1 }), after: fc.array(fc.string({ minLength: 1 })) }),
    ),
    optional("media", fc.array(medium, { minLength: 1 })),
  )
  .map(
    ([fields, sampling, seed, logprobs, echo, rank, kv, answered, grammar, media]): GenerateRequest => ({
      ...fields,
      sampling: { ...sampling, ...seed },
      ...logprobs,
      ...echo,
      ...rank,
      ...kv,
      ...answered,
      ...grammar,
      ...media,
    }),
  );

describe("generate requests", () => {
  test("survive a round trip", () => {
    fc.assert(
      fc.property(request, (wanted) => {
        expect(decodeGenerateRequest(encodeGenerateRequest(wanted))).toEqual(wanted);
      }),
    );
  });

  test("the decoded tokens own their memory", () => {
    const [wanted] = fc.sample(request, 1) as [GenerateRequest];
    const payload = encodeGenerateRequest({ ...wanted, tokens: Uint32Array.of(1, 2, 3) });
    const decoded = decodeGenerateRequest(payload);
    payload.fill(0);
    expect([...decoded.tokens]).toEqual([1, 2, 3]);
  });

  test("malformed bytes are an invalid request", () => {
    const message = (fields: Parameters<typeof create<typeof GenerateRequestSchema>>[1]) =>
      toBinary(GenerateRequestSchema, create(GenerateRequestSchema, fields));
    const tokenIds = Uint8Array.of(1, 2, 3, 4);
    const wrong = [
      Uint8Array.of(),
      Uint8Array.of(0xc1),
      Uint8Array.of(26, 4, 1),
      message({ model: "m" }),
      message({ tokenIds: Uint8Array.of(1, 2, 3) }),
      message({ tokenIds, stopTokenIds: Uint8Array.of(1) }),
      message({ tokenIds, logprobs: 21 }),
      message({ tokenIds, sampling: { temperature: Number.NaN } }),
      message({ tokenIds, sampling: { logitBias: { tokenIds, biases: [] } } }),
      message({ tokenIds, kvSource: { bytes: 2n ** 60n } }),
    ];
    for (const payload of wrong) {
      expect(() => decodeGenerateRequest(payload)).toThrow(
        expect.objectContaining({ code: "invalid_request" }),
      );
    }
  });

  test("an invalid field is named", () => {
    const [wanted] = fc.sample(request, 1) as [GenerateRequest];
    const payload = encodeGenerateRequest({ ...wanted, sampling: { ...wanted.sampling, topP: 2 } });
    expect(() => decodeGenerateRequest(payload)).toThrow(/sampling\.topP/);
  });
});
