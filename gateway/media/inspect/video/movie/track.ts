import type { HeaderBytes } from "../../bytes.ts";
import { type Box, childrenOf } from "../../container/boxes.ts";

/** One track of a movie. */
export interface Track {
  readonly id: number;
  /** `vide`, `soun` or another four-character code. */
  readonly handler: string;
  /** Units per second of its times. */
  readonly timescale: number;
  /** Samples in the movie box's own tables, which a fragmented movie leaves empty. A video's samples are frames. */
  readonly samples: number;
  /** In seconds. */
  readonly seconds: number | undefined;
  /** Where all frames but the last take the same time. */
  readonly framesPerSecond: number | undefined;
  /** Seconds that the edit list shows; undefined if there is none. */
  readonly shown: number | undefined;
  /** In pixels, after rotation. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly sampleRate: number | undefined;
  readonly channels: number | undefined;
}

/** Where the boxes that matter are. */
const PATHS = [
  "tkhd",
  "edts/elst",
  "mdia/mdhd",
  "mdia/hdlr",
  "mdia/minf/stbl/stsd",
  "mdia/minf/stbl/stts",
].concat("mdia/minf/stbl/stsz", "mdia/minf/stbl/stz2");

/**
 * @param movieTimescale units per second of the edit list's times
 * @returns undefined for a track without its own header
 */
export function readTrack(
  bytes: HeaderBytes,
  trak: Box,
  movieTimescale: number | undefined,
): Track | undefined {
  const boxes = new Map<string, Box>();
  collect(bytes, trak, "", boxes);
  const [head, media, kind] = ["tkhd", "mdia/mdhd", "mdia/hdlr"].map((path) => boxes.get(path));
  if (head === undefined || media === undefined || kind === undefined) return undefined;

  const handler = bytes.text(kind.body + 8, 4);
  const isLong = bytes.u8(media.body) === 1;
  const timescale = bytes.u32(media.body + (isLong ? 20 : 12));
  const stated = isLong ? bytes.u64(media.body + 24) : bytes.u32(media.body + 16);
  const sizes = boxes.get("mdia/minf/stbl/stsz") ?? boxes.get("mdia/minf/stbl/stz2");
  const times = readTimes(bytes, boxes.get("mdia/minf/stbl/stts"));
  const duration = times === undefined || times.duration === 0 ? stated : times.duration;
  const { steady } = times ?? {};
  const perSecond = (units: number) => (timescale > 0 ? units / timescale : undefined);
  const isHeadLong = bytes.u8(head.body) === 1;
  return {
    id: bytes.u32(head.body + (isHeadLong ? 20 : 12)),
    handler,
    timescale,
    samples: sizes === undefined ? (times?.samples ?? 0) : bytes.u32(sizes.body + 8),
    seconds: duration > 0 ? perSecond(duration) : undefined,
    framesPerSecond: steady !== undefined && steady > 0 && timescale > 0 ? timescale / steady : undefined,
    shown: movieTimescale ? shownUnits(bytes, boxes.get("edts/elst"), movieTimescale) : undefined,
    ...describe(
      bytes,
      boxes.get("mdia/minf/stbl/stsd"),
      handler,
      isTurned(bytes, head.body + (isHeadLong ? 52 : 40)),
    ),
  };
}

function collect(bytes: HeaderBytes, parent: Box, path: string, found: Map<string, Box>): void {
  for (const box of childrenOf(bytes, parent)) {
    const own = `${path}${box.type}`;
    if (!PATHS.some((wanted) => wanted.startsWith(own)) || found.has(own)) continue;
    found.set(own, box);
    if (!PATHS.includes(own)) collect(bytes, box, `${own}/`, found);
  }
}

/** Most runs of equal durations that are added up; with more, the track's header has to do. */
const MAX_RUNS = 16_384;

/** How long samples last, in the track's units. */
interface Times {
  samples: number;
  duration: number;
  /** The duration of each but the last; undefined if they differ. */
  steady: number | undefined;
}

function readTimes(bytes: HeaderBytes, box: Box | undefined): Times | undefined {
  if (box === undefined) return undefined;
  const runs = bytes.u32(box.body + 4);
  if (runs > MAX_RUNS) return undefined;
  let [samples, duration] = [0, 0];
  for (let index = 0; index < runs; index += 1) {
    const count = bytes.u32(box.body + 8 + 8 * index);
    samples += count;
    duration += count * bytes.u32(box.body + 12 + 8 * index);
  }
  const isSteady = runs === 1 || (runs === 2 && bytes.u32(box.body + 16) === 1);
  return { samples, duration, steady: isSteady ? bytes.u32(box.body + 12) : undefined };
}

/** Seconds of an edit list's parts that are not empty. */
function shownUnits(bytes: HeaderBytes, box: Box | undefined, timescale: number): number | undefined {
  if (box === undefined) return undefined;
  const isLong = bytes.u8(box.body) === 1;
  const length = isLong ? 20 : 12;
  const entries = Math.min(bytes.u32(box.body + 4), MAX_RUNS);
  let units = 0;
  for (let index = 0; index < entries; index += 1) {
    const at = box.body + 8 + index * length;
    // A media time of -1 marks an empty part.
    const isEmpty = bytes.i32(at + (isLong ? 8 : 4)) < 0;
    if (!isEmpty) units += isLong ? bytes.u64(at) : bytes.u32(at);
  }
  return units / timescale;
}

/** Whether the matrix turns the picture by a quarter. */
function isTurned(bytes: HeaderBytes, matrix: number): boolean {
  return bytes.i32(matrix) === 0 && bytes.i32(matrix + 4) !== 0;
}

type Description = Pick<Track, "width" | "height" | "sampleRate" | "channels">;

/** The first sample entry. */
function describe(bytes: HeaderBytes, box: Box | undefined, handler: string, turned: boolean): Description {
  const none = { width: undefined, height: undefined, sampleRate: undefined, channels: undefined };
  if (box === undefined || bytes.u32(box.body + 4) === 0) return none;
  const entry = box.body + 8;
  if (handler === "vide") {
    const [width, height] = [bytes.u16(entry + 32), bytes.u16(entry + 34)];
    return { ...none, width: turned ? height : width, height: turned ? width : height };
  }
  if (handler !== "soun") return none;
  // QuickTime's second version has wider fields.
  if (bytes.u16(entry + 16) === 2)
    return { ...none, sampleRate: bytes.f64(entry + 40), channels: bytes.u32(entry + 48) };
  return { ...none, sampleRate: bytes.u16(entry + 32), channels: bytes.u16(entry + 24) };
}
