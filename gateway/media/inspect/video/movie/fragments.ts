import { type HeaderBytes, HeadersEnd } from "../../bytes.ts";
import { type Box, boxesIn, childrenOf } from "../../container/boxes.ts";
import type { Track } from "./track.ts";

/** Samples of a track in all movie fragments. */
export interface Fragments {
  readonly samples: number;
  /** In seconds. */
  readonly seconds: number;
}

/**
 * Adds up a track's runs in all fragments (ISO/IEC 14496-12, section 8.8).
 * @param extension the `mvex` box, which has defaults
 * @returns undefined if there are more than can be read
 */
export function countFragments(bytes: HeaderBytes, extension: Box, track: Track): Fragments | undefined {
  try {
    const fallback = defaultDuration(bytes, extension, track.id);
    let [samples, units] = [0, 0];
    for (const box of boxesIn(bytes, 0, bytes.size)) {
      if (box.type !== "moof") continue;
      for (const part of childrenOf(bytes, box)) {
        if (part.type !== "traf") continue;
        const run = countTraf(bytes, part, track.id, fallback);
        samples += run.samples;
        units += run.units;
      }
    }
    return { samples, seconds: track.timescale > 0 ? units / track.timescale : 0 };
  } catch (error) {
    if (error instanceof HeadersEnd) return undefined;
    throw error;
  }
}

function defaultDuration(bytes: HeaderBytes, extension: Box, track: number): number {
  for (const { type, body } of childrenOf(bytes, extension))
    if (type === "trex" && bytes.u32(body + 4) === track) return bytes.u32(body + 12);
  return 0;
}

interface Run {
  samples: number;
  units: number;
}

function countTraf(bytes: HeaderBytes, traf: Box, track: number, fallback: number): Run {
  let [samples, units, duration] = [0, 0, fallback];
  for (const { type, body } of childrenOf(bytes, traf)) {
    if (type === "tfhd") {
      if (bytes.u32(body + 4) !== track) break;
      const flags = bytes.u24(body + 1);
      const at = body + 8 + (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0);
      if (flags & 8) duration = bytes.u32(at);
    } else if (type === "trun") {
      const run = countTrun(bytes, body, duration);
      samples += run.samples;
      units += run.units;
    }
  }
  return { samples, units };
}

const FIELDS = [0x100, 0x200, 0x400, 0x800];

function countTrun(bytes: HeaderBytes, body: number, duration: number): Run {
  const flags = bytes.u24(body + 1);
  const samples = bytes.u32(body + 4);
  if (!(flags & 0x100)) return { samples, units: samples * duration };
  const length = 4 * FIELDS.filter((field) => flags & field).length;
  const first = body + 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
  let units = 0;
  for (let index = 0; index < samples; index += 1) units += bytes.u32(first + index * length);
  return { samples, units };
}
