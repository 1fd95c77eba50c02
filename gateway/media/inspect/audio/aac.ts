import type { HeaderBytes } from "../bytes.ts";
import type { MediaFormat } from "../format.ts";
import { endOfId3 } from "./id3.ts";

const RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/** AAC in ADTS frames (ISO/IEC 14496-3, section 1.A.3.2). They are not counted. */
export const aac: MediaFormat = {
  medium: "audio",
  format: "aac",
  matches: (head) => head.has("ID3") || head.has("\xff\xf1") || head.has("\xff\xf9") || head.has("\xff\xf0"),
  read(bytes) {
    const start = endOfId3(bytes);
    const frame = frameAt(bytes, start);
    if (frame === undefined) return undefined;
    // The sync bits alone are too common: another frame must follow, or the end.
    const next = start + frame.length;
    if (next < bytes.size && frameAt(bytes, next)?.sampleRate !== frame.sampleRate) return undefined;
    const { sampleRate, channels } = frame;
    return {
      kind: "audio",
      format: "aac",
      seconds: undefined,
      sampleRate,
      channels: channels === 0 ? undefined : channels,
      samples: undefined,
      pcm: undefined,
    };
  },
};

function frameAt(
  bytes: HeaderBytes,
  at: number,
): { length: number; sampleRate: number; channels: number } | undefined {
  if (!bytes.has(at, 7) || (bytes.u16(at) & 0xfff6) !== 0xfff0) return undefined;
  const sampleRate = RATES[(bytes.u8(at + 2) >>> 2) & 15];
  const bits = bytes.u32(at + 2);
  const configuration = (bits >>> 22) & 7;
  const length = ((bytes.u8(at + 3) & 3) << 11) | (bytes.u16(at + 4) >>> 5);
  if (sampleRate === undefined || length < 7) return undefined;
  return { length, sampleRate, channels: configuration === 7 ? 8 : configuration };
}
