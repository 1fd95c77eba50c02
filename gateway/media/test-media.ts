import { readFileSync } from "node:fs";
import { join } from "node:path";

const { vectors }: { vectors: { what: string; base64: string }[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, "fixtures", "vllm-image-hashes.json"), "utf8"),
);

const image = (what: string) => vectors.find((vector) => vector.what === what)!.base64;

/** 6 × 4 pixels, in base64. */
export const PNG = image("RGB PNG");
export const OTHER_PNG = image("grey PNG");
export const JPEG = image("RGB JPEG");

/** 16-bit samples of silence, 16,000 a second, in base64. */
export function wav(samples = 1600): string {
  const bytes = Buffer.alloc(44 + 2 * samples);
  bytes.write("RIFF");
  bytes.writeUInt32LE(36 + 2 * samples, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(16_000, 24);
  bytes.writeUInt32LE(32_000, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(2 * samples, 40);
  return bytes.toString("base64");
}

/** A PNG's header that claims these sizes, without pixels. */
export function pngOf(width: number, height: number): string {
  const bytes = Buffer.from(PNG, "base64");
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes.toString("base64");
}
