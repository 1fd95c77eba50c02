import type { HeaderBytes } from "../bytes.ts";
import { lastGranule, packetAt, pagesFrom } from "../container/ogg-pages.ts";
import { broken, type MediaFormat } from "../format.ts";
import type { AudioInfo, MediaInfo } from "../info.ts";

/** Ogg with Opus (RFC 7845), Vorbis, FLAC or Speex; with Theora it is a video. */
export const ogg: MediaFormat = {
  medium: "audio",
  format: "ogg",
  matches: (head) => head.has("OggS"),
  read(bytes) {
    let sound: MediaInfo | undefined;
    for (const { isFirst, serial, body } of pagesFrom(bytes, 0)) {
      // All streams begin before any goes on.
      if (!isFirst) break;
      const packet = packetAt(bytes, body);
      if (packet.startsWith("\x80theora")) return theora(bytes, body);
      sound ??= soundOf(bytes, body, packet, serial);
    }
    return sound ?? broken(this, "invalid");
  },
};

function soundOf(bytes: HeaderBytes, at: number, packet: string, serial: number): AudioInfo | undefined {
  if (packet.startsWith("OpusHead")) {
    // The granule position is at 48 kHz whatever the rate of the input was, and counts the pre-skip.
    return soundAt(bytes, serial, 48_000, bytes.u8(at + 9), bytes.u16(at + 10, true));
  }
  if (packet.startsWith("\x01vorbis"))
    return soundAt(bytes, serial, bytes.u32(at + 12, true), bytes.u8(at + 11), 0);
  if (packet.startsWith("\x7fFLAC")) {
    const packed = bytes.u32(at + 27);
    return soundAt(bytes, serial, packed >>> 12, ((packed >>> 9) & 7) + 1, 0);
  }
  if (packet.startsWith("Speex   "))
    return soundAt(bytes, serial, bytes.u32(at + 36, true), bytes.u32(at + 48, true), 0);
  return undefined;
}

function soundAt(
  bytes: HeaderBytes,
  serial: number,
  sampleRate: number,
  channels: number,
  skip: number,
): AudioInfo | undefined {
  if (sampleRate === 0 || channels === 0) return undefined;
  const granule = lastGranule(bytes, serial);
  const samples = granule === undefined ? undefined : Math.max(0, granule - skip);
  const seconds = samples === undefined ? undefined : samples / sampleRate;
  return { kind: "audio", format: "ogg", seconds, sampleRate, channels, samples, pcm: undefined };
}

/** Theora's identification header (Xiph.Org, "Theora Specification", section 6.2); its frames are not counted. */
function theora(bytes: HeaderBytes, at: number): MediaInfo {
  const [rate, per] = [bytes.u32(at + 22), bytes.u32(at + 26)];
  return {
    kind: "video",
    format: "ogg",
    width: bytes.u24(at + 14),
    height: bytes.u24(at + 17),
    seconds: undefined,
    frames: undefined,
    framesPerSecond: per > 0 ? rate / per : undefined,
  };
}
