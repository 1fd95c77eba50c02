import type { HeaderBytes } from "../../bytes.ts";
import { type Box, boxesIn, brandsOf, childrenOf } from "../../container/boxes.ts";
import { broken, HEAD, Head, type MediaFormat } from "../../format.ts";
import type { MediaInfo } from "../../info.ts";
import { countFragments } from "./fragments.ts";
import { readTrack, type Track } from "./track.ts";

/** MP4, QuickTime and M4A: the movie box, wherever it is, and the fragments' own counts (ISO/IEC 14496-12). */
export const movie: MediaFormat = {
  medium: "video",
  format: "mp4",
  // QuickTime files may begin with another box than the file's type.
  matches: (head) => ["ftyp", "moov", "mdat", "free", "skip", "wide"].includes(head.text(4, 4)),
  read(bytes) {
    const [brand] = brandsOf(new Head(bytes.start(HEAD)));
    const format = brand === undefined || brand === "qt  " ? "mov" : "mp4";
    for (const box of boxesIn(bytes, 0, bytes.size))
      if (box.type === "moov") return readMovie(bytes, box, format);
    // Any text may have a box's name there; only a file type tells.
    return brand === undefined ? undefined : broken({ medium: "video", format }, "incomplete");
  },
};

function readMovie(bytes: HeaderBytes, moov: Box, format: "mp4" | "mov"): MediaInfo {
  const boxes = [...childrenOf(bytes, moov)];
  const header = boxes.find(({ type }) => type === "mvhd");
  const timescale = header && bytes.u32(header.body + (bytes.u8(header.body) === 1 ? 20 : 12));
  const tracks = boxes
    .filter(({ type }) => type === "trak")
    .flatMap((trak) => readTrack(bytes, trak, timescale) ?? []);
  const extension = boxes.find(({ type }) => type === "mvex");

  const video = tracks.find(({ handler }) => handler === "vide");
  if (video !== undefined) {
    const { width, height } = video;
    return { kind: "video", format, width, height, ...presented(video, lengthOf(bytes, video, extension)) };
  }
  const sound = tracks.find(({ handler }) => handler === "soun");
  if (sound === undefined) return broken({ medium: "video", format }, "invalid");
  const { sampleRate, channels } = sound;
  const { seconds } = lengthOf(bytes, sound, extension);
  return { kind: "audio", format: "m4a", seconds, sampleRate, channels, samples: undefined, pcm: undefined };
}

/** Of a whole track. */
interface Length {
  readonly samples: number | undefined;
  readonly seconds: number | undefined;
}

/** By the movie's own tables, and by the fragments if there can be any. */
function lengthOf(bytes: HeaderBytes, track: Track, extension: Box | undefined): Length {
  if (extension === undefined) return { samples: track.samples, seconds: track.seconds };
  const fragments = countFragments(bytes, extension, track);
  if (fragments === undefined) return { samples: undefined, seconds: undefined };
  const samples = fragments.samples + track.samples;
  const own = track.samples > 0 ? (track.seconds ?? 0) : 0;
  return { samples, seconds: samples > 0 ? fragments.seconds + own : undefined };
}

/** What players show of a video: an edit list may hide frames that are only needed to decode others. */
function presented(
  { framesPerSecond, shown }: Track,
  { samples, seconds }: Length,
): { frames: number | undefined; seconds: number | undefined; framesPerSecond: number | undefined } {
  const rate = framesPerSecond ?? (samples && seconds ? samples / seconds : undefined);
  const visible = shown === undefined || rate === undefined ? 0 : Math.round(shown * rate);
  const isTrimmed = samples !== undefined && visible > 0 && visible < samples - 1;
  return {
    frames: isTrimmed ? visible : samples,
    seconds: isTrimmed ? shown : seconds,
    framesPerSecond: rate,
  };
}
