import type { HeaderBytes } from "../bytes.ts";
import { chunksIn } from "../container/riff.ts";
import { broken, type MediaFormat } from "../format.ts";

/** AIFF and AIFF-C: the common chunk (Apple, "Audio Interchange File Format AIFF-C"). */
export const aiff: MediaFormat = {
  medium: "audio",
  format: "aiff",
  matches: (head) => head.has("FORM") && (head.has("AIFF", 8) || head.has("AIFC", 8)),
  read(bytes) {
    for (const { type, body } of chunksIn(bytes, 12, bytes.size, false)) {
      if (type !== "COMM") continue;
      const [channels, frames] = [bytes.u16(body), bytes.u32(body + 2)];
      const sampleRate = extended(bytes, body + 8);
      if (!(sampleRate > 0) || channels === 0) return broken(this, "invalid");
      // Only plain samples are counted one by one.
      const compression = bytes.text(8, 4) === "AIFC" ? bytes.text(body + 18, 4) : "NONE";
      const isPlain = /^(?:NONE|sowt|twos|raw |fl32|FL32|fl64|FL64|in24|in32|alaw|ulaw|ALAW|ULAW)$/.test(
        compression,
      );
      return {
        kind: "audio",
        format: "aiff",
        seconds: frames / sampleRate,
        sampleRate,
        channels,
        samples: isPlain ? frames : undefined,
        pcm: undefined,
      };
    }
    return broken(this, "incomplete");
  },
};

/** An 80-bit float: 1 sign, 15 exponent and 64 mantissa bits with an explicit one. */
function extended(bytes: HeaderBytes, at: number): number {
  const exponent = bytes.u16(at) & 0x7fff;
  const value = bytes.u64(at + 2) * 2 ** (exponent - 16_383 - 63);
  return Number.isFinite(value) ? value : 0;
}
