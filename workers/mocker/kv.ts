import { KvUnusableError } from "../kv/types.ts";
import { nextHash } from "./hashes.ts";
import type { MockerOptions } from "./options.ts";

/** KV of a token of an 8-billion-parameter model: 2 × 32 layers × 8 heads × 128 × 2 bytes. */
const BYTES_PER_TOKEN = 2 * 32 * 8 * 128 * 2;
/** GB/s of a link of 400 Gb/s, such as an H100's own ConnectX-7. */
const BANDWIDTH = 50;

/** Mock engines can exchange KV if they simulate the same model. */
export const mockKvFormat = ({ modelName = "mocker", kvBytesPerToken = BYTES_PER_TOKEN }: MockerOptions) =>
  `mocker 1 model=${modelName} bytes-per-token=${kvBytesPerToken}`;

/** How long the simulated KV of so many tokens travels, in milliseconds. */
export function transferMs(options: MockerOptions, tokens: number): number {
  const { kvBytesPerToken = BYTES_PER_TOKEN, kvBandwidth = BANDWIDTH, speedup = 1 } = options;
  return speedup === 0 ? 0 : (tokens * kvBytesPerToken) / (kvBandwidth * 1e6) / speedup;
}

/** Size of what really travels. */
export const PAYLOAD_BYTES = 24;

/**
 * What travels in place of KV, from which the importer can tell that it belongs to its tokens: "mockerKV", the number of
 * tokens and their hash, as little-endian f64.
 */
export function mockPayload(tokens: Uint32Array): Uint8Array {
  const payload = new Uint8Array(PAYLOAD_BYTES);
  payload.set(MAGIC);
  const view = new DataView(payload.buffer);
  view.setFloat64(8, tokens.length, true);
  view.setFloat64(16, nextHash(0, tokens, 0, tokens.length), true);
  return payload;
}

/** @throws KvUnusableError if the payload is not that of these tokens */
export function checkPayload(payload: Uint8Array, tokens: Uint32Array): void {
  const wanted = mockPayload(tokens);
  if (payload.length === wanted.length && wanted.every((byte, index) => payload[index] === byte)) return;
  throw new KvUnusableError("format", "The KV is that of another prompt, or none of a mock engine.");
}

const MAGIC = new TextEncoder().encode("mockerKV");
