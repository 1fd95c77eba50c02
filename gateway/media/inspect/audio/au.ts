import { broken, type MediaFormat } from "../format.ts";

/** Bytes of one sample by encoding: µ-law, linear of 8 to 32 bits, floats, A-law. */
const SIZES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1 };

/** Sun's and NeXT's sound files (NeXT, "Sound", SNDSoundStruct). */
export const au: MediaFormat = {
  medium: "audio",
  format: "au",
  matches: (head) => head.has(".snd"),
  read(bytes) {
    const [offset, claimed, encoding] = [bytes.u32(4), bytes.u32(8), bytes.u32(12)];
    const [sampleRate, channels] = [bytes.u32(16), bytes.u32(20)];
    if (sampleRate === 0 || channels === 0) return broken(this, "invalid");
    const size = SIZES[encoding];
    // The largest size stands for one that the writer did not know.
    const length = Math.max(0, Math.min(claimed === 0xffff_ffff ? Infinity : claimed, bytes.size - offset));
    const samples = size && Math.floor(length / (size * channels));
    const seconds = samples === undefined ? undefined : samples / sampleRate;
    return { kind: "audio", format: "au", seconds, sampleRate, channels, samples, pcm: undefined };
  },
};
