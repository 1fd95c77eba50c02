import type { HeaderBytes } from "../bytes.ts";

/** A frame's header of MPEG-1, -2 or -2.5 audio (ISO/IEC 11172-3, section 2.4.1.3; 13818-3). */
export interface MpegFrame {
  readonly start: number;
  /** In bytes, with its header. */
  readonly length: number;
  readonly layer: number;
  /** In Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Per channel. */
  readonly samples: number;
  /** In bits per second. */
  readonly bitrate: number;
  /** Bytes of layer 3's side information. */
  readonly sideInfo: number;
}

/** In kbit/s, from index 1 on; MPEG-1's layers 1 to 3, then MPEG-2's layer 1 and its layers 2 and 3. */
const BITRATES = [
  [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const;

const RATES = [44_100, 48_000, 32_000];

/** @returns undefined if no frame starts there, or one of a free bit rate, whose length its header does not tell */
export function mpegFrameAt(bytes: HeaderBytes, start: number): MpegFrame | undefined {
  if (!bytes.has(start, 4)) return undefined;
  const header = bytes.u32(start);
  if (header >>> 21 !== 0x7ff) return undefined;
  // 0 is MPEG-2.5, 2 is MPEG-2, 3 is MPEG-1.
  const version = (header >>> 19) & 3;
  const layer = 4 - ((header >>> 17) & 3);
  const rate = RATES[(header >>> 10) & 3];
  if (version === 1 || layer === 4 || rate === undefined) return undefined;
  const isFirst = version === 3;
  const kilobits = BITRATES[isFirst ? layer - 1 : layer === 1 ? 3 : 4]?.[((header >>> 12) & 15) - 1];
  if (kilobits === undefined) return undefined;

  const sampleRate = rate / (isFirst ? 1 : version === 2 ? 2 : 4);
  const samples = layer === 1 ? 384 : layer === 3 && !isFirst ? 576 : 1_152;
  const bitrate = kilobits * 1_000;
  const padding = (header >>> 9) & 1;
  const length =
    layer === 1
      ? 4 * (Math.floor((12 * bitrate) / sampleRate) + padding)
      : Math.floor((samples / 8) * (bitrate / sampleRate)) + padding;
  const isMono = ((header >>> 6) & 3) === 3;
  const sideInfo = isFirst ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  return { start, length, layer, sampleRate, channels: isMono ? 1 : 2, samples, bitrate, sideInfo };
}
