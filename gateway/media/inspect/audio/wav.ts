import type { HeaderBytes } from "../bytes.ts";
import { type Chunk, chunksIn } from "../container/riff.ts";
import { broken, type MediaFormat } from "../format.ts";
import type { PcmLayout } from "../info.ts";

/** WAV, its big-endian form RIFX, and RF64 or BW64 for more than 4 GiB (EBU Tech 3306). */
export const wav: MediaFormat = {
  medium: "audio",
  format: "wav",
  matches: (head) =>
    head.has("WAVE", 8) && ["RIFF", "RIFX", "RF64", "BW64"].some((signature) => head.has(signature)),
  read(bytes) {
    const isLittle = bytes.text(0, 4) !== "RIFX";
    const chunks = new Map<string, Chunk>();
    for (const chunk of chunksIn(bytes, 12, bytes.size, isLittle)) {
      if (!chunks.has(chunk.type)) chunks.set(chunk.type, chunk);
      // What follows the samples is not needed, and a stream's data chunk has no size.
      if (chunk.type === "data") break;
    }
    const [format, data] = [chunks.get("fmt "), chunks.get("data")];
    if (format === undefined || format.length < 14) return broken(this, data ? "invalid" : "incomplete");
    const { sampleRate, channels, ...encoding } = readFormat(bytes, format, isLittle);
    if (sampleRate === 0 || channels === 0) return broken(this, "invalid");
    if (data === undefined) return broken(this, "incomplete");
    const { tag, blockAlign, bytesPerSecond } = encoding;
    const length = dataLength(bytes, data, chunks.get("ds64"), blockAlign);
    const blocks = blockAlign > 0 ? Math.floor(length / blockAlign) : 0;
    // Decoders differ in what they make of a compressed file's last block.
    const samples = [PCM, FLOAT, A_LAW, MU_LAW].includes(tag) ? blocks : undefined;
    const estimate = bytesPerSecond > 0 ? length / bytesPerSecond : undefined;
    const seconds = samples === undefined ? estimate : samples / sampleRate;
    const pcm = pcmLayout(encoding, data.body, blocks, isLittle);
    return { kind: "audio", format: "wav", seconds, sampleRate, channels, samples, pcm };
  },
};

interface Encoding {
  /** WAVE_FORMAT_…; for WAVE_FORMAT_EXTENSIBLE that of its sub-format. */
  tag: number;
  bytesPerSecond: number;
  /** Bytes of one sample of all channels, or of a compressed block. */
  blockAlign: number;
  bits: number;
}

const [PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE] = [1, 3, 6, 7, 0xfffe];

function readFormat(
  bytes: HeaderBytes,
  { body, length }: Chunk,
  isLittle: boolean,
): Encoding & { sampleRate: number; channels: number } {
  const u16 = (offset: number) => (length >= offset + 2 ? bytes.u16(body + offset, isLittle) : 0);
  const tag = u16(0);
  return {
    tag: tag === EXTENSIBLE ? u16(24) : tag,
    channels: u16(2),
    sampleRate: bytes.u32(body + 4, isLittle),
    bytesPerSecond: bytes.u32(body + 8, isLittle),
    blockAlign: u16(12),
    bits: u16(14),
  };
}

/** Bytes of the samples that are there. */
function dataLength(bytes: HeaderBytes, data: Chunk, sizes: Chunk | undefined, blockAlign: number): number {
  const present = bytes.size - data.body;
  const claimed =
    data.length === 0xffff_ffff && sizes !== undefined ? bytes.u64(sizes.body + 8, true) : data.length;
  // A writer that cannot go back leaves 0 or the largest size. What follows is then all samples.
  const isStreamed = data.length === 0 && present >= blockAlign && blockAlign > 0;
  return Math.max(0, isStreamed ? present : Math.min(claimed, present));
}

function pcmLayout(
  { tag, bits, blockAlign }: Encoding,
  from: number,
  blocks: number,
  isLittleEndian: boolean,
): PcmLayout | undefined {
  const encoding = tag === FLOAT ? "float" : tag !== PCM ? undefined : bits <= 8 ? "unsigned" : "signed";
  return encoding && { from, length: blocks * blockAlign, encoding, bits, isLittleEndian };
}
