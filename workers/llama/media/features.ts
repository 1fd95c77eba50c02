import type { MediumSize } from "./native/projector.ts";

/** What a projector has made of a medium. */
export interface Features {
  readonly isAudio: boolean;
  readonly size: MediumSize;
  /** Those of all its tokens, one after another. */
  readonly embeddings: Float32Array;
}

/** u32: 0 for an image and 1 for audio; two u32: its size; u32: how many floats follow. All little-endian. */
const HEADER_BYTES = 16;
const FLOAT_BYTES = 4;

/** Writes features as they travel between workers. */
export function packFeatures({ isAudio, size, embeddings }: Features): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + embeddings.byteLength);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of [Number(isAudio), ...size, embeddings.length].entries())
    view.setUint32(index * 4, value, true);
  bytes.set(new Uint8Array(embeddings.buffer, embeddings.byteOffset, embeddings.byteLength), HEADER_BYTES);
  return bytes;
}

/** Reads what `packFeatures` wrote. @throws Error if the bytes are something else */
export function unpackFeatures(bytes: Uint8Array): Features {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.length < HEADER_BYTES ? 0 : view.getUint32(12, true);
  if (bytes.length !== HEADER_BYTES + count * FLOAT_BYTES || count === 0)
    throw new Error("The features of a medium are incomplete.");
  // A copy, because floats must be aligned.
  const embeddings = new Float32Array(count);
  new Uint8Array(embeddings.buffer).set(bytes.subarray(HEADER_BYTES));
  return {
    isAudio: view.getUint32(0, true) === 1,
    size: [view.getUint32(4, true), view.getUint32(8, true)],
    embeddings,
  };
}
