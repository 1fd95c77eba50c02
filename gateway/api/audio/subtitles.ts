import type { TranscribedSegment } from "#runtime";

/** SubRip: numbered cues, with a comma before the milliseconds. */
export const toSrt = (segments: readonly TranscribedSegment[]): string =>
  segments
    .map(
      ({ start, end, text }, index) =>
        `${index + 1}\n${clock(start, ",")} --> ${clock(end, ",")}\n${cue(text)}\n\n`,
    )
    .join("");

/** WebVTT: https://www.w3.org/TR/webvtt1/ */
export const toVtt = (segments: readonly TranscribedSegment[]): string =>
  `WEBVTT\n\n${segments
    .map(({ start, end, text }) => `${clock(start, ".")} --> ${clock(end, ".")}\n${escaped(cue(text))}\n\n`)
    .join("")}`;

/** `hh:mm:ss.mmm` */
function clock(seconds: number, point: string): string {
  const ms = Math.round(seconds * 1000);
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${point}${String(ms % 1000).padStart(3, "0")}`;
}

/** A cue ends with an empty line, so its text has none. */
const cue = (text: string): string => text.trim().replace(/\s*\n\s*/g, "\n");

/** WebVTT takes these for its own tags, and an arrow for times. */
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
