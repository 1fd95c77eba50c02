import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { makerEnded } from "../../../api/responses/response.ts";
import { END } from "./log-file.ts";

/** How often a log is looked at that has not ended, in milliseconds. */
const LOOK_MS = 25;

/** The events in a log's lines, from one on. */
export async function* eventsIn(lines: AsyncIterable<string>, from: number): AsyncGenerator<string> {
  let number = 0;
  for await (const line of lines) {
    if (line === END) return;
    if (number++ >= from) yield JSON.parse(line);
  }
}

/** The lines of a file, as they are appended; none if it does not exist. */
export async function* linesOf(
  path: string,
  signal: AbortSignal,
  isAlive: () => Promise<boolean>,
): AsyncGenerator<string, undefined> {
  const opened = await open(path).catch(() => undefined);
  if (opened === undefined) return;
  await using file = opened;
  const buffer = Buffer.alloc(64 * 1024);
  const decoder = new TextDecoder();
  let rest = "";
  while (!signal.aborted) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) {
      if (!(await isAlive())) throw makerEnded();
      await sleep(LOOK_MS);
      continue;
    }
    const lines = (rest + decoder.decode(buffer.subarray(0, bytesRead), { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
