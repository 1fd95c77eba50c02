import type { HeaderBytes } from "../bytes.ts";
import { type Chunk, chunksIn } from "../container/riff.ts";
import { broken, type MediaFormat } from "../format.ts";

/** AVI: its main header and that of the first video stream (Microsoft, "AVI RIFF File Reference"). */
export const avi: MediaFormat = {
  medium: "video",
  format: "avi",
  matches: (head) => head.has("RIFF") && head.has("AVI ", 8),
  read(bytes) {
    const list = listIn(bytes, chunksIn(bytes, 12, bytes.size), "hdrl");
    const main = list?.find(({ type }) => type === "avih");
    if (list === undefined || main === undefined) return broken(this, "incomplete");
    const stream = list
      .filter((chunk) => isList(bytes, chunk, "strl"))
      .map((chunk) => [...chunksIn(bytes, chunk.body + 4, chunk.body + chunk.length)])
      .find((chunks) => chunks.some(({ type, body }) => type === "strh" && bytes.text(body, 4) === "vids"));
    const header = stream?.find(({ type }) => type === "strh");
    const u32 = (at: number) => bytes.u32(at, true);
    const [scale, rate] =
      header === undefined ? [u32(main.body), 1_000_000] : [u32(header.body + 20), u32(header.body + 24)];
    const frames = header === undefined ? u32(main.body + 16) : u32(header.body + 32);
    const framesPerSecond = scale > 0 && rate > 0 ? rate / scale : undefined;
    return {
      kind: "video",
      format: "avi",
      width: u32(main.body + 32),
      height: u32(main.body + 36),
      seconds: framesPerSecond && frames > 0 ? frames / framesPerSecond : undefined,
      frames: frames > 0 ? frames : undefined,
      framesPerSecond,
    };
  },
};

function isList(bytes: HeaderBytes, { type, body }: Chunk, kind: string): boolean {
  return type === "LIST" && bytes.text(body, 4) === kind;
}

function listIn(bytes: HeaderBytes, chunks: Iterable<Chunk>, kind: string): Chunk[] | undefined {
  for (const chunk of chunks)
    if (isList(bytes, chunk, kind)) return [...chunksIn(bytes, chunk.body + 4, chunk.body + chunk.length)];
  return undefined;
}
