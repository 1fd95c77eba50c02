import { expect, test, vi } from "vitest";
import { MediaEncoder } from "./media-encoder.ts";
import type { EncodeEnd, MeasureEnd } from "./media-process.ts";

type End = EncodeEnd | MeasureEnd;

const ENCODED: End = { kind: "encoded", tokens: 3, features: Uint8Array.of(1) };
const FAILED: End = { kind: "failed", message: "The process has ended." };
const never = new AbortController().signal;
const picture = { kind: "image" as const, type: "image/png", position: 0, data: Uint8Array.of(1) };

/** An encoder whose process ends like this, time after time. */
function encoderOf(...ends: End[]) {
  const encode = vi.fn(async () => ends.shift()!);
  return { encode, encoder: new MediaEncoder({ encode, measure: vi.fn(), close: vi.fn() }, 100) };
}

test("encodes a medium again if the process fails once", async () => {
  const { encode, encoder } = encoderOf(FAILED, ENCODED);
  expect(await encoder.featuresOf(picture, "1", never)).toEqual(Uint8Array.of(1));
  expect(encode).toHaveBeenCalledTimes(2);
});

test("refuses a medium with which the process fails twice", async () => {
  const { encode, encoder } = encoderOf(FAILED, FAILED, ENCODED);
  await expect(encoder.featuresOf(picture, "1", never)).rejects.toMatchObject({ code: "invalid_media" });
  expect(encode).toHaveBeenCalledTimes(2);
  expect(await encoder.featuresOf(picture, "1", never)).toEqual(Uint8Array.of(1));
});

test("refuses a medium that is larger than the context, for other workers, too", async () => {
  const large: End = { kind: "measured", tokens: 4115 };
  const { encoder } = encoderOf(large, large);
  await expect(encoder.featuresOf(picture, "1", never)).rejects.toMatchObject({
    ...{ code: "context_length_exceeded", message: expect.stringContaining("4115 tokens") },
  });
  expect(await encoder.encode([{ ...picture, id: "1" }], never)).toMatchObject([{ kind: "refused" }]);
});

test("refuses what llama.cpp does not decode without trying", async () => {
  const { encode, encoder } = encoderOf();
  const webp = { ...picture, id: "1", type: "image/webp" };
  expect(await encoder.encode([webp], never)).toMatchObject([
    { kind: "refused", message: expect.stringContaining("Send PNG, JPEG, GIF or BMP.") },
  ]);
  expect(encode).not.toHaveBeenCalled();
});
