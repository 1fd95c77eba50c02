import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlaneError } from "../request-plane/types.ts";
import { type KvTransfer, transferOutcomes } from "./delta.ts";
import { DeltaDecoder } from "./delta-decoder.ts";
import { DeltaEncoder } from "./delta-encoder.ts";

const id = fc.integer({ min: 0, max: 0xffffffff });
const logprob = fc.float({ noNaN: true, max: 0 });
const token = fc.record({ id, logprob, top: fc.array(fc.tuple(id, logprob), { maxLength: 20 }) });
const delta = fc.record({
  logprobs: fc.boolean(),
  echo: fc.boolean(),
  tokens: fc.array(token, { maxLength: 40 }),
  cached: fc.option(id, { nil: undefined }),
  finish: fc.option(fc.constantFrom("stop" as const, "length" as const), { nil: undefined }),
  stopToken: fc.option(id, { nil: undefined }),
  transfer: fc.option(
    fc.record({
      outcome: fc.constantFrom(...transferOutcomes),
      microseconds: id,
      bytes: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    }),
    { nil: undefined },
  ),
  media: fc.option(id, { nil: undefined }),
});

describe("generate messages", () => {
  test("decode to what was encoded, whatever the reused objects held before", () => {
    const decoder = new DeltaDecoder();
    const encoders = { plain: new DeltaEncoder(), logprobs: new DeltaEncoder({ logprobs: true }) };
    fc.assert(
      fc.property(delta, (wanted) => {
        const encoder = wanted.logprobs ? encoders.logprobs : encoders.plain;
        for (const { id, logprob, top } of wanted.tokens) encoder.add(id, logprob, top);
        expect(encoder.count).toBe(wanted.tokens.length);
        if (wanted.cached !== undefined) encoder.cachedTokens(wanted.cached);
        if (wanted.finish !== undefined) encoder.finish(wanted.finish, wanted.stopToken);
        if (wanted.transfer !== undefined) encoder.transfer(wanted.transfer);
        if (wanted.media !== undefined) encoder.mediaTokens(wanted.media);
        decoder.read(wanted.echo ? encoder.takeEcho() : encoder.take());

        expect(decoder.echo).toBe(wanted.echo);
        expect(decoder.hasLogprobs).toBe(wanted.logprobs);
        expect([...decoder.tokens.subarray(0, decoder.count)]).toEqual(wanted.tokens.map(({ id }) => id));
        expect(decoder.cachedTokens).toBe(wanted.cached);
        expect(decoder.finish).toBe(wanted.finish);
        expect(decoder.stopToken).toBe(wanted.finish === undefined ? undefined : wanted.stopToken);
        expect(decoder.transfer).toEqual(wanted.transfer);
        expect(decoder.mediaTokens).toBe(wanted.media);
        wanted.tokens.forEach(({ logprob, top }, index) => {
          expect(decoder.topCount(index)).toBe(wanted.logprobs ? top.length : 0);
          if (!wanted.logprobs) return;
          expect(decoder.logprobs[index]).toBe(logprob);
          top.forEach(([id, value], rank) => {
            expect(decoder.topId(index, rank)).toBe(id);
            expect(decoder.topLogprob(index, rank)).toBe(value);
          });
        });
      }),
    );
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 32])("%s is not a token id and is not sent", (wrong) => {
    const encoder = new DeltaEncoder({ logprobs: true });
    expect(() => encoder.add(wrong)).toThrow(RangeError);
    expect(() => encoder.add(1, 0, [[wrong, 0]])).toThrow(RangeError);
    expect(() => encoder.finish("stop", wrong)).toThrow(RangeError);
    const decoder = new DeltaDecoder();
    decoder.read(encoder.take());
    expect([decoder.count, decoder.finish]).toEqual([0, undefined]);
  });

  test("a typical message is seven bytes", () => {
    const encoder = new DeltaEncoder();
    encoder.add(42);
    expect(encoder.take()).toHaveLength(7);
  });

  test("an outcome of a transfer that only newer versions know is a failure", () => {
    const encoder = new DeltaEncoder();
    encoder.transfer({ outcome: "transferred", microseconds: 1500.4, bytes: 2 ** 40 });
    const message = encoder.take();
    expect(message).toHaveLength(16);
    message[3] = transferOutcomes.length;
    const decoder = new DeltaDecoder();
    decoder.read(message);
    expect(decoder.transfer).toEqual({ outcome: "failed", microseconds: 1500, bytes: 2 ** 40 });
  });

  test("a transfer that took longer than fits into the message took the most that does", () => {
    const encoder = new DeltaEncoder();
    const transfer: KvTransfer = { outcome: "stalled", microseconds: 2 ** 33, bytes: 0 };
    encoder.transfer(transfer);
    const decoder = new DeltaDecoder();
    decoder.read(encoder.take());
    expect(decoder.transfer).toEqual({ ...transfer, microseconds: 0xffffffff });
  });

  test("a token without a log probability decodes to NaN", () => {
    const encoder = new DeltaEncoder({ logprobs: true });
    encoder.add(7);
    const decoder = new DeltaDecoder();
    decoder.read(encoder.takeEcho());
    expect(decoder.logprobs[0]).toBeNaN();
  });

  test("more than fits in a message is refused", () => {
    const encoder = new DeltaEncoder({ logprobs: true });
    expect(() => encoder.add(1, -1, new Array(21).fill([1, -1]))).toThrow(RangeError);
    for (let i = 0; i < 65_535; i++) encoder.add(i);
    expect(() => encoder.add(1)).toThrow(RangeError);
  });

  test("arbitrary bytes either decode or throw a PlaneError", () => {
    const decoder = new DeltaDecoder();
    const byte = fc.integer({ min: 0, max: 255 });
    const smallHead = fc.tuple(
      fc.integer({ min: 0, max: 127 }),
      fc.integer({ min: 0, max: 3 }),
      fc.constant(0),
    );
    const likely = fc
      .tuple(smallHead, fc.array(byte, { maxLength: 60 }))
      .map(([head, rest]) => [...head, ...rest]);
    fc.assert(
      fc.property(fc.oneof(likely, fc.array(byte, { maxLength: 20 })), (bytes) => {
        try {
          decoder.read(Uint8Array.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(PlaneError);
          expect((error as PlaneError).code).toBe("invalid_request");
        }
      }),
    );
  });
});
