import { broken, type MediaFormat } from "../format.ts";
import { endOfId3 } from "./id3.ts";

/** Native FLAC: its STREAMINFO block (RFC 9639, section 8.2). */
export const flac: MediaFormat = {
  medium: "audio",
  format: "flac",
  matches: (head) => head.has("fLaC") || head.has("ID3"),
  read(bytes) {
    const start = endOfId3(bytes);
    if (!bytes.has(start, 4) || bytes.text(start, 4) !== "fLaC") return undefined;
    if ((bytes.u8(start + 4) & 0x7f) !== 0) return broken(this, "invalid");
    const packed = bytes.u32(start + 18);
    const sampleRate = packed >>> 12;
    const channels = ((packed >>> 9) & 7) + 1;
    const stated = (bytes.u8(start + 21) & 0x0f) * 2 ** 32 + bytes.u32(start + 22);
    if (sampleRate === 0) return broken(this, "invalid");
    // A stream that its writer could not go back in has 0.
    const samples = stated === 0 ? undefined : stated;
    const seconds = samples && samples / sampleRate;
    return { kind: "audio", format: "flac", seconds, sampleRate, channels, samples, pcm: undefined };
  },
};
