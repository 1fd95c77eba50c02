import type { HeaderBytes } from "../bytes.ts";
import { broken, type MediaFormat } from "../format.ts";
import { endOfId3 } from "./id3.ts";
import { type MpegFrame, mpegFrameAt } from "./mpeg-frame.ts";

/** MPEG audio, layers 1 to 3, with or without ID3v2 and a Xing, Info or VBRI header. */
export const mp3: MediaFormat = {
  medium: "audio",
  format: "mp3",
  matches: (head) => head.has("ID3") || (head.has("\xff") && /^[\xe2-\xff]/.test(head.text(1, 1))),
  read(bytes) {
    const hasTag = bytes.has(0, 3) && bytes.text(0, 3) === "ID3";
    const start = endOfId3(bytes);
    const frame = firstFrame(bytes, start, hasTag);
    if (frame === undefined) return hasTag ? broken(this, "incomplete") : undefined;
    const { sampleRate, channels } = frame;
    const info = { kind: "audio", format: "mp3", sampleRate, channels, pcm: undefined } as const;
    const counted = xing(bytes, frame) ?? vbri(bytes, frame);
    if (counted === undefined) {
      const seconds = (8 * (endOfFrames(bytes) - frame.start)) / frame.bitrate;
      return { ...info, seconds, samples: undefined };
    }
    const samples = Math.max(0, counted.frames * frame.samples - (counted.padding ?? 0));
    return {
      ...info,
      seconds: samples / sampleRate,
      samples: counted.padding === undefined ? undefined : samples,
    };
  },
};

/** How far after a tag the first frame may be: padding and rubbish. */
const MAX_SKIP = 4_096;

/** The first frame that another one follows, or that ends the data: the sync bits alone are too common. */
function firstFrame(bytes: HeaderBytes, start: number, hasTag: boolean): MpegFrame | undefined {
  const last = Math.min(start + (hasTag ? MAX_SKIP : 0), bytes.size - 4);
  for (let at = start; at <= last; at += 1) {
    const frame = mpegFrameAt(bytes, at);
    if (frame === undefined) continue;
    const next = at + frame.length;
    if (next >= bytes.size) return hasTag || next === bytes.size ? frame : undefined;
    const follower = mpegFrameAt(bytes, next);
    if (follower?.sampleRate === frame.sampleRate && follower.layer === frame.layer) return frame;
    if (bytes.has(next, 3) && /^(?:TAG|APE)/.test(bytes.text(next, 3))) return frame;
  }
  return undefined;
}

/** What a header in the first frame, which is silent, says of the frames after it. */
interface Counted {
  readonly frames: number;
  /** Samples that the encoder added at both ends; undefined if not told. */
  readonly padding: number | undefined;
}

/** Xing's header (also called Info), with LAME's extension (gabriel.mp3-tech.org, "Mp3 info tag specification"). */
function xing(bytes: HeaderBytes, frame: MpegFrame): Counted | undefined {
  const at = frame.start + 4 + frame.sideInfo;
  if (!bytes.has(at, 12) || !["Xing", "Info"].includes(bytes.text(at, 4))) return undefined;
  const flags = bytes.u32(at + 4);
  if (!(flags & 1)) return undefined;
  const frames = bytes.u32(at + 8);
  // Frames, bytes, the table of contents and the quality, each only if its flag says so.
  const lame =
    at + 8 + (flags & 1 ? 4 : 0) + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
  if (!bytes.has(lame, 24) || !/^(?:LAME|Lavf|Lavc|GOGO)/.test(bytes.text(lame, 4)))
    return { frames, padding: undefined };
  const delays = bytes.u24(lame + 21);
  return { frames, padding: (delays >>> 12) + (delays & 0xfff) };
}

/** Fraunhofer's header, 32 bytes after the frame's own. */
function vbri(bytes: HeaderBytes, frame: MpegFrame): Counted | undefined {
  const at = frame.start + 36;
  if (!bytes.has(at, 18) || bytes.text(at, 4) !== "VBRI") return undefined;
  return { frames: bytes.u32(at + 14), padding: undefined };
}

/** Where the frames end: before an ID3v1 tag. */
function endOfFrames(bytes: HeaderBytes): number {
  const tag = bytes.size - 128;
  return tag > 0 && bytes.text(tag, 3) === "TAG" ? tag : bytes.size;
}
