import { identifyMedia, nodeByteTools, readMedia, withoutMedia } from "#gateway";
import { createLogger } from "#runtime";

const tools = await nodeByteTools(createLogger({ name: "bench", level: "error" }));
const RULES = { fetcher: undefined, maxCount: 100, maxBytes: 1e9, maxPixels: 1e9, tools };
const MODEL = "tiny";

/** The time of each stage in milliseconds. */
export interface Stages {
  readonly takeOut: number;
  /** Parsing what is left, checking the picture, and vLLM's hash of it. */
  readonly read: number;
  /** The ids of the media, and the pieces to send. */
  readonly restore: number;
}

export interface PathResult extends Stages {
  /** A digest of the picture's bytes alone, decoded from the body. */
  readonly digestMs: number;
  /** Bytes that are not where they were received. */
  readonly copiedBytes: number;
}

/** All that an attached gateway does for a picture between receiving and sending it: its own code, without sockets. */
export async function takePath(
  body: Uint8Array,
): Promise<Stages & { digest: () => Promise<unknown>; pieces: readonly Uint8Array[] }> {
  const begun = performance.now();
  const light = withoutMedia(body, tools);
  const takenOut = performance.now();
  const json = JSON.parse(new TextDecoder().decode(light.bytes));
  const checked = await readMedia(light, json, RULES, { owner: "", vllmModel: MODEL });
  const read = performance.now();
  const identified = await identifyMedia(checked.body, checked.media, {
    path: "/v1/chat/completions",
    salt: undefined,
    vllmModel: MODEL,
  });
  const pieces = checked.light.media.restore(checked.light.bytes);
  const restored = performance.now();
  const [medium] = [...identified.prompt.values()].map((each) => each.medium);
  if (medium === undefined) throw new Error("The gateway found no picture.");
  return {
    takeOut: takenOut - begun,
    read: read - takenOut,
    restore: restored - read,
    digest: () => medium.digest(),
    pieces,
  };
}

/** Measures one walk through the gateway. */
export async function measurePath(body: Uint8Array): Promise<PathResult> {
  const { digest, pieces, ...stages } = await takePath(body);
  const begun = performance.now();
  await digest();
  const digestMs = performance.now() - begun;
  const own = pieces.filter(({ buffer }) => buffer !== body.buffer);
  return { ...stages, digestMs, copiedBytes: own.reduce((sum, { length }) => sum + length, 0) };
}

/** The longest time for which the gateway lets nothing else run, in milliseconds. */
export async function longestStall(body: Uint8Array): Promise<number> {
  let longest = 0;
  let last = performance.now();
  let isOver = false;
  const watch = new Promise<void>((resolve) => {
    const look = () => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      if (isOver) resolve();
      else setImmediate(look);
    };
    setImmediate(look);
  });
  await new Promise<void>((resolve) => setImmediate(resolve));
  await takePath(body);
  isOver = true;
  await watch;
  return longest;
}
