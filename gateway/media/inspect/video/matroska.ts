import type { HeaderBytes } from "../bytes.ts";
import { type Element, elementAt, elementsIn, float, text, unsigned } from "../container/ebml.ts";
import { broken, type MediaFormat } from "../format.ts";
import type { MediaInfo } from "../info.ts";

/** WebM and Matroska: the segment's information and tracks (RFC 9559). */
export const matroska: MediaFormat = {
  medium: "video",
  format: "mkv",
  matches: (head) => head.has("\x1a\x45\xdf\xa3"),
  read(bytes) {
    const header = elementAt(bytes, 0, bytes.size);
    const docType = fieldsOf(bytes, header).get(DOC_TYPE)?.[0];
    const format = docType !== undefined && text(bytes, docType) === "webm" ? "webm" : "mkv";
    const segment = elementAt(bytes, header.end, bytes.size);
    if (segment.id !== SEGMENT) return broken({ medium: "video", format }, "invalid");
    const { info, tracks } = findParts(bytes, segment);
    if (tracks === undefined) return broken({ medium: "video", format }, "incomplete");
    const entries = (fieldsOf(bytes, tracks).get(TRACK_ENTRY) ?? []).map((entry) => fieldsOf(bytes, entry));
    return describe(bytes, format, entries, info && secondsOf(bytes, info));
  },
};

const [DOC_TYPE, SEGMENT, INFO, TRACKS, CLUSTER] = [0x4282, 0x18538067, 0x1549a966, 0x1654ae6b, 0x1f43b675];
const [TIMESTAMP_SCALE, DURATION, TRACK_ENTRY, TRACK_TYPE] = [0x2ad7b1, 0x4489, 0xae, 0x83];
const [DEFAULT_DURATION, VIDEO, WIDTH, HEIGHT] = [0x23e383, 0xe0, 0xb0, 0xba];
const [AUDIO, SAMPLING_FREQUENCY, OUTPUT_FREQUENCY, CHANNELS] = [0xe1, 0xb5, 0x78b5, 0x9f];
const [SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION] = [0x114d9b74, 0x4dbb, 0x53ab, 0x53ac];

/** Children by their id. */
type Fields = ReadonlyMap<number, readonly Element[]>;

function fieldsOf(bytes: HeaderBytes, parent: Element): Fields {
  const fields = new Map<number, Element[]>();
  for (const element of elementsIn(bytes, parent.body, Math.min(parent.end, bytes.size))) {
    const same = fields.get(element.id);
    if (same === undefined) fields.set(element.id, [element]);
    else same.push(element);
  }
  return fields;
}

interface Parts {
  info: Element | undefined;
  tracks: Element | undefined;
}

/** What lies before the first cluster, or where the seek head says. */
function findParts(bytes: HeaderBytes, segment: Element): Parts {
  const parts: Parts = { info: undefined, tracks: undefined };
  const put = (element: Element) => {
    if (element.id === INFO) parts.info ??= element;
    if (element.id === TRACKS) parts.tracks ??= element;
  };
  let index: Element | undefined;
  for (const element of elementsIn(bytes, segment.body, Math.min(segment.end, bytes.size))) {
    if (element.id === CLUSTER) break;
    if (element.id === SEEK_HEAD) index ??= element;
    put(element);
    if (parts.info !== undefined && parts.tracks !== undefined) break;
  }
  if (index === undefined || (parts.info !== undefined && parts.tracks !== undefined)) return parts;
  for (const seek of fieldsOf(bytes, index).get(SEEK) ?? []) {
    const fields = fieldsOf(bytes, seek);
    const [id, position] = [fields.get(SEEK_ID)?.[0], fields.get(SEEK_POSITION)?.[0]];
    if (id === undefined || position === undefined || ![INFO, TRACKS].includes(unsigned(bytes, id))) continue;
    const at = segment.body + unsigned(bytes, position);
    if (bytes.has(at, 2)) put(elementAt(bytes, at, bytes.size));
  }
  return parts;
}

/** Undefined for a recording whose writer could not go back. */
function secondsOf(bytes: HeaderBytes, info: Element): number | undefined {
  const fields = fieldsOf(bytes, info);
  const [scale, duration] = [fields.get(TIMESTAMP_SCALE)?.[0], fields.get(DURATION)?.[0]];
  const nanoseconds = scale === undefined ? 1_000_000 : unsigned(bytes, scale);
  const ticks = duration === undefined ? 0 : float(bytes, duration);
  return ticks > 0 && Number.isFinite(ticks) ? (ticks * nanoseconds) / 1e9 : undefined;
}

/** A whole number of frames a second, or that of NTSC's rates, where nanoseconds are too coarse to tell. */
function rateOf(frameTime: number): number {
  const rate = 1e9 / frameTime;
  const known = [Math.round(rate), (Math.round(rate * 1.001) * 1_000) / 1_001];
  return known.find((value) => Math.abs(value - rate) < 1e-4) ?? rate;
}

function describe(
  bytes: HeaderBytes,
  format: "webm" | "mkv",
  entries: readonly Fields[],
  seconds: number | undefined,
): MediaInfo {
  const number = (fields: Fields | undefined, id: number) => {
    const element = fields?.get(id)?.[0];
    return element && unsigned(bytes, element);
  };
  const inside = (fields: Fields, id: number) => {
    const element = fields.get(id)?.[0];
    return element && fieldsOf(bytes, element);
  };
  const video = entries.find((entry) => number(entry, TRACK_TYPE) === 1);
  if (video !== undefined) {
    const picture = inside(video, VIDEO);
    const frameTime = number(video, DEFAULT_DURATION);
    const framesPerSecond = frameTime ? rateOf(frameTime) : undefined;
    const isCountable = seconds !== undefined && framesPerSecond !== undefined;
    return {
      kind: "video",
      format,
      width: number(picture, WIDTH),
      height: number(picture, HEIGHT),
      seconds,
      frames: isCountable ? Math.floor(seconds * framesPerSecond + 0.5) : undefined,
      framesPerSecond,
    };
  }
  const audio = entries.find((entry) => number(entry, TRACK_TYPE) === 2);
  if (audio === undefined) return broken({ medium: "video", format }, "invalid");
  const sound = inside(audio, AUDIO);
  const rate = sound?.get(OUTPUT_FREQUENCY)?.[0] ?? sound?.get(SAMPLING_FREQUENCY)?.[0];
  return {
    kind: "audio",
    format,
    seconds,
    sampleRate: rate === undefined ? 8_000 : float(bytes, rate),
    channels: number(sound, CHANNELS) ?? 1,
    samples: undefined,
    pcm: undefined,
  };
}
